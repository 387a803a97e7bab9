"""What Google Cloud Storage and google-auth say when something is wrong, as Sluice's own errors."""

from typing import Any

import orjson

from shared.adapters.objects.http import Answer, InvalidRangeError
from shared.adapters.objects.redact import redact
from shared.errors import (
    AccessDeniedError,
    BucketNotFoundError,
    CredentialsError,
    ObjectNotFoundError,
    StoreError,
    StoreUnavailableError,
    StoreUnreachableError,
    VersionMismatchError,
)

NOT_JSON = "Google Application Credentials must be valid JSON string. {reason}"
NOT_A_KEY = (
    "Google Application Credentials must be the JSON key of a service account, as the Google Cloud console gives it"
)
NO_CREDENTIALS = (
    "No Google credentials for bucket {bucket}: fill in google_application_credentials, or give this process an "
    "identity (a service account to run as, or GOOGLE_APPLICATION_CREDENTIALS)"
)
MISSING = "The specified bucket does not exist."
SLOW_DOWN = {"rateLimitExceeded", "userRateLimitExceeded", "quotaExceeded", "resourceRateLimitExceeded"}


def answered(answer: Answer, bucket: str, key: str, secrets: list[str]) -> StoreError | None:
    """The error in an answer, None for a good one; `key` is empty where no single object was meant."""
    status = answer.status
    if 200 <= status < 300:
        return None
    reason, message = _told(answer.body)
    reason = reason or str(status)
    name = f"gs://{bucket}/{key}"
    kind: type[StoreError] = StoreError
    text = f"Google Cloud Storage answered {status} for {bucket}"
    if status == 404:
        if key and "bucket does not exist" not in message:
            kind, text = ObjectNotFoundError, f"{name} does not exist"
        else:
            kind, text = BucketNotFoundError, f"{bucket}: {MISSING}"
    elif status == 412:
        kind, text = VersionMismatchError, f"{name} is not at the expected version"
    elif status == 416:
        kind, text = InvalidRangeError, ""
    elif status == 429 or reason in SLOW_DOWN:
        kind, text = StoreUnavailableError, "Google Cloud Storage asks to slow down"
    elif status == 408 or status >= 500:
        kind, text = StoreUnavailableError, "Google Cloud Storage has a problem of its own"
    elif status == 401:
        kind, text = CredentialsError, f"Cannot connect to Google Cloud Storage bucket {bucket} with these credentials"
    elif status == 403:
        kind, text = AccessDeniedError, f"The credentials lack a permission for Google Cloud Storage bucket {bucket}"
    elif lacks_payer(answer):
        text = f"Who reads bucket {bucket} pays for it: set google_project_id to the project that does"
    return kind(text, detail=redact(f"{reason}: {message}" if message else reason, secrets))


def lacks_payer(answer: Answer) -> bool:
    """Whether the bucket wants to know which project pays for the request."""
    return answer.status == 400 and b"no user project" in answer.body


def unidentified(
    caught: Exception, bucket: str, secrets: list[str], *, status: int = 0, refusal: str = ""
) -> StoreError:
    """The error for an identity that google-auth could not establish.

    `status` is that of the last answer, 0 if there was none; `refusal` says what it means not to get one.
    """
    from google.auth import exceptions as auth

    detail = redact(_said(caught), secrets)
    busy = status == 429 or status >= 500  # which google-auth leaves out where it trades one token for another
    match caught:
        case auth.DefaultCredentialsError():
            return CredentialsError(NO_CREDENTIALS.format(bucket=bucket), detail=detail)
        case auth.TransportError():
            return StoreUnreachableError("Cannot reach Google to get an access token", detail=detail)
        case auth.GoogleAuthError(retryable=retryable) if retryable or busy:
            return StoreUnavailableError("Google gives no access token just now", detail=detail)
    return CredentialsError(refusal or f"Google refuses the credentials for bucket {bucket}", detail=detail)


def _said(caught: Exception) -> str:
    """What google-auth says, and of an answer that it quotes only the sentence."""
    first, *rest = caught.args or ("",)
    answer = next((item for item in rest if isinstance(item, str)), "")
    try:
        answer = str(orjson.loads(answer)["error"]["message"])
    except (orjson.JSONDecodeError, KeyError, TypeError):
        answer = ""  # the first text has it already
    return f"{first}: {answer}" if answer else str(first)


def _told(body: bytes) -> tuple[str, str]:
    """Google's reason and message in an answer; a download is answered with bare text."""
    try:
        error: Any = orjson.loads(body)["error"]
        reasons = [item.get("reason", "") for item in error.get("errors", ())]
        return (reasons[0] if reasons else ""), str(error.get("message", ""))
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
        return "", body[:1000].decode("utf-8", "replace")
