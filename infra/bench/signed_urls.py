"""Whether a signed URL is good: the signatures of S3 and of Google Cloud Storage, worked out again by the server."""

import hashlib
import hmac
import time
from calendar import timegm
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote_to_bytes, urlencode

from infra.bench.s3_wire import Request

LONGEST = 604_800


@dataclass(slots=True)
class Signers:
    """Whose signatures count: of S3 who has this secret, of Google who has this key's private half. "": anybody's."""

    secret: str = ""
    public_key: str = ""

    def refusal(self, request: Request) -> str:
        """What is wrong with the signature in a request's query; "" if nothing is, or nobody checks."""
        for vendor, known in (("X-Amz", self.secret), ("X-Goog", self.public_key)):
            if known and f"{vendor}-Signature" in request.query:
                return self._check(request, vendor)
        return ""

    def _check(self, request: Request, vendor: str) -> str:
        query = dict(request.query)
        signature = query.pop(f"{vendor}-Signature")
        stamp, life = query.get(f"{vendor}-Date", ""), int(query.get(f"{vendor}-Expires") or 0)
        signed = query.get(f"{vendor}-SignedHeaders", "").split(";")
        if not 0 < life <= LONGEST:
            return f"{vendor}-Expires must be between 1 and {LONGEST}"
        if time.time() > timegm(time.strptime(stamp, "%Y%m%dT%H%M%SZ")) + life:
            return "Request has expired"
        headers = "".join(f"{name}:{request.header(name.encode())}\n" for name in signed)
        path = quote(unquote_to_bytes(request.path), safe="/~")
        ordered = urlencode(sorted(query.items()), quote_via=quote, safe="~", errors="surrogateescape")
        canonical = f"{request.method}\n{path}\n{ordered}\n{headers}\n{';'.join(signed)}\nUNSIGNED-PAYLOAD"
        scope = query[f"{vendor}-Credential"].partition("/")[2]
        digest = hashlib.sha256(canonical.encode("utf-8", "surrogateescape")).hexdigest()
        text = f"{query[f'{vendor}-Algorithm']}\n{stamp}\n{scope}\n{digest}".encode()
        good = self._by_secret(text, scope, signature) if vendor == "X-Amz" else self._by_key(text, signature)
        return "" if good else "The request signature we calculated does not match the signature you provided"

    def _by_secret(self, text: bytes, scope: str, signature: str) -> bool:
        key = f"AWS4{self.secret}".encode()
        for part in scope.split("/"):
            key = hmac.digest(key, part.encode(), "sha256")
        return hmac.compare_digest(hmac.digest(key, text, "sha256").hex(), signature)

    def _by_key(self, text: bytes, signature: str) -> bool:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15

        key: Any = serialization.load_pem_public_key(self.public_key.encode())
        try:
            key.verify(bytes.fromhex(signature), text, PKCS1v15(), hashes.SHA256())
        except (InvalidSignature, ValueError):
            return False
        return True
