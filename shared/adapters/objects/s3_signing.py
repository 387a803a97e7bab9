"""Signed URLs of S3: made by boto3 without a request, since a signature is arithmetic."""

import time
from typing import Any

from botocore.credentials import RefreshableCredentials

from shared.adapters.objects.s3_client import CREDENTIAL_LIFE, Clients
from shared.ports import SignedMethod, SignedUrl

OPERATIONS: dict[SignedMethod, str] = {"GET": "get_object", "HEAD": "head_object"}


def sign(
    clients: Clients, bucket: str, key: str, *, seconds: float, method: SignedMethod, content_type: str
) -> SignedUrl:
    """A URL for one object, at the public endpoint if there is one. Raises what boto3 raises.

    A session's signatures end with it, and of how long it lasts only a minimum is known.
    """
    now = time.time()
    params: dict[str, Any] = {"Bucket": bucket, "Key": key}
    if content_type:
        params["ResponseContentType"] = content_type
    url = clients.signer.generate_presigned_url(OPERATIONS[method], Params=params, ExpiresIn=int(seconds))
    session = isinstance(clients.credentials, RefreshableCredentials)
    life = min(seconds, CREDENTIAL_LIFE.total_seconds()) if session else seconds
    return SignedUrl(str(url), now + life)
