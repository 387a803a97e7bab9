"""What Azure Blob Storage says when something is wrong, as Sluice's own errors."""

import re
from html import unescape

from shared.adapters.objects.http import Answer, InvalidRangeError
from shared.adapters.objects.redact import redact
from shared.errors import (
    AccessDeniedError,
    BucketNotFoundError,
    CredentialsError,
    InvalidKeyError,
    ObjectError,
    ObjectNotFoundError,
    StoreError,
    StoreUnavailableError,
    VersionMismatchError,
)

API_VERSION = "2021-12-02"
NO_CREDENTIALS = (
    "Azure account name and key must be set using environment variables AZURE_BLOB_ACCOUNT_NAME and "
    "AZURE_BLOB_ACCOUNT_KEY or account_name and account_key fields."
)
NO_CONTAINER = {"ContainerNotFound", "ContainerBeingDeleted", "ContainerDisabled"}
IDENTITY = {"AuthenticationFailed", "InvalidAuthenticationInfo", "NoAuthenticationInformation"}
SLOW_DOWN = {"ServerBusy", "TooManyRequests", "AccountRequestsExceeded"}
NOT_AS_EXPECTED = {"BlobAlreadyExists", "ConditionNotMet", "TargetConditionNotMet"}
ARCHIVED = {"BlobArchived", "BlobBeingRehydrated"}


def answered(answer: Answer, container: str, key: str, secrets: list[str]) -> StoreError | None:
    """The error in an answer, None for a good one; `key` is empty where no single object was meant."""
    status = answer.status
    if 200 <= status < 300:
        return None
    text = answer.body[:4000].decode("utf-8", "replace")
    code = answer.headers.get("x-ms-error-code") or _element("Code", text) or str(status)
    told = _element("Message", text).partition("\n")[0]  # below stand the request's id and time
    name = f"azure-blob://{container}/{key}"
    kind: type[StoreError] = StoreError
    message = f"Azure answered {code} for {container}"
    if code in NO_CONTAINER or (status == 404 and not key):
        kind, message = BucketNotFoundError, f"Container not found: {container}"
    elif status == 404:
        kind, message = ObjectNotFoundError, f"{name} does not exist"
    elif code in NOT_AS_EXPECTED or status == 412:
        kind, message = VersionMismatchError, f"{name} is not at the expected version"
    elif status == 416:
        kind, message = InvalidRangeError, ""
    elif code in ARCHIVED:
        kind, message = ObjectError, f"{name} is archived and must be rehydrated first"
    elif key and code in {"InvalidUri", "InvalidResourceName", "OutOfRangeInput"}:
        kind, message = InvalidKeyError, f"Azure can't hold a blob named {key[:100]!r}"
    elif code in {"InvalidResourceName", "OutOfRangeInput"}:
        message = f"{container} is not a valid name of a container"
    elif code in SLOW_DOWN or status in {429, 503}:
        kind, message = StoreUnavailableError, "Azure asks to slow down"
    elif status in {408, 409} or status >= 500:
        kind, message = StoreUnavailableError, "Azure has a problem of its own"
    elif code in IDENTITY or status == 401:
        kind, message = CredentialsError, f"Cannot connect to Azure container {container} with these credentials"
    elif status == 403:
        kind, message = AccessDeniedError, f"The credentials lack a permission for Azure container {container}"
    return kind(message, detail=redact(f"{code}: {told}" if told else code, secrets))


def _element(name: str, xml: str) -> str:
    found = re.search(rf"<{name}>(.*?)</{name}>", xml, re.DOTALL)
    return unescape(found[1]) if found else ""
