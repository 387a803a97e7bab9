"""What S3, boto3 and obstore say when something is wrong, as Sluice's own errors."""

import re
from collections.abc import Callable, Iterable
from html import unescape
from typing import Any, ParamSpec, TypeVar

import botocore.exceptions as boto
from obstore import exceptions as obs
from urllib3.exceptions import HTTPError

from shared.adapters.objects.redact import redact
from shared.errors import (
    AccessDeniedError,
    BucketNotFoundError,
    CredentialsError,
    InvalidKeyError,
    ObjectError,
    ObjectNotFoundError,
    SluiceError,
    StoreError,
    StoreUnavailableError,
    StoreUnreachableError,
    VersionMismatchError,
)

P = ParamSpec("P")
R = TypeVar("R")

NO_CREDENTIALS = (
    "No AWS credentials for S3 {bucket}: fill in aws_access_key_id and aws_secret_access_key, "
    "or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE or a role for this process"
)
NOT_IDENTIFIED = (
    boto.CredentialRetrievalError,
    boto.NoCredentialsError,
    boto.PartialCredentialsError,
    boto.ProfileNotFound,
    boto.SSOError,
    boto.TokenRetrievalError,
)
"""boto3 found no credentials, or could not get them."""
IDENTITY = {
    "AuthFailure",
    "CredentialsNotSupported",
    "ExpiredToken",
    "ExpiredTokenException",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidSecurity",
    "InvalidToken",
    "RequestExpired",
    "RequestTimeTooSkewed",
    "SignatureDoesNotMatch",
    "TokenRefreshRequired",
    "UnrecognizedClientException",
}
REGION = {
    "301",
    "307",
    "AuthorizationHeaderMalformed",
    "AuthorizationQueryParametersError",
    "IllegalLocationConstraintException",
    "PermanentRedirect",
    "TemporaryRedirect",
}
SLOW_DOWN = {
    "BandwidthLimitExceeded",
    "RequestLimitExceeded",
    "SlowDown",
    "Throttling",
    "ThrottlingException",
    "TooManyRequests",
    "TooManyRequestsException",
}
PASSING = {"ConditionalRequestConflict", "InternalError", "OperationAborted", "RequestTimeout", "ServiceUnavailable"}


class InvalidRangeError(ObjectError):
    """The range begins behind the object's end."""


class S3Faults:
    """Translates for one bucket; `secrets`, which may grow, must be in no text."""

    def __init__(self, bucket: str, endpoint: str | None, secrets: Iterable[str]) -> None:
        self._bucket, self._secrets = bucket, secrets
        self._place = f"S3 at {redact(endpoint)}" if endpoint else "S3"

    def call(self, key: str, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Calls a provider's function. The error raised has no trace of the provider's, which may hold a signed URL."""
        try:
            return function(*args, **kwargs)
        except SluiceError:
            raise
        except Exception as caught:  # noqa: BLE001  a class that nobody thought of can hold a signed URL as well
            error = self.translated(caught, key)
        raise error

    def translated(self, caught: Exception, key: str = "") -> StoreError:
        """The error for an exception; `key` is empty where no single object was meant."""
        match caught:
            case boto.ClientError(response=response):
                told = response.get("Error", {})
                meta = response.get("ResponseMetadata", {})
                region = meta.get("HTTPHeaders", {}).get("x-amz-bucket-region") or told.get("Region", "")
                status = meta.get("HTTPStatusCode", 0)
                return self.answered(status, told.get("Code", ""), told.get("Message", ""), key, region)
            case _ if isinstance(caught, NOT_IDENTIFIED):
                return self._error(CredentialsError, NO_CREDENTIALS.format(bucket=self._bucket), str(caught))
            case boto.SSLError(kwargs=kwargs):
                return self._error(StoreError, f"No trusted connection to {self._place}", str(kwargs.get("error", "")))
            case boto.EndpointConnectionError() | boto.ConnectTimeoutError() | boto.ProxyConnectionError():
                return self._unreachable(str(caught.kwargs.get("error", "")))
            case boto.HTTPClientError() | boto.ConnectionError() | boto.IncompleteReadError() | HTTPError():
                return self.interrupted(f"{type(caught).__name__}: {caught}")
            case boto.ParamValidationError():
                return self._error(StoreError, f"S3 {self._bucket} can't be asked that", str(caught))
            case obs.BaseError() | OSError():
                return self._by_obstore(caught, key)
            case UnicodeError():
                return InvalidKeyError("A name with half a character in it can't be in S3")
            case ValueError():
                return self._error(StoreError, f"{self._place} has no valid address", str(caught))
        return self._error(StoreError, f"{self._place}: {type(caught).__name__}", str(caught))

    def responded(self, status: int, body: bytes, headers: Any, key: str = "") -> StoreError:
        """The error for an HTTP answer."""
        text = body[:4000].decode("utf-8", "replace")
        region = headers.get("x-amz-bucket-region") or _element("Region", text)
        return self.answered(status, _element("Code", text), _element("Message", text), key, region)

    def answered(self, status: int, code: str, message: str, key: str = "", region: str = "") -> StoreError:
        """The error for a status and S3's code."""
        code = code or str(status)
        detail = f"{code}: {message}" if message else code
        object_name = f"s3://{self._bucket}/{key}"
        kind: type[StoreError] = StoreError
        text = f"{self._place} answered {code} for {self._bucket}"
        if code == "NoSuchBucket" or (status == 404 and not key):
            kind, text = BucketNotFoundError, f"Cannot find bucket {self._bucket} in S3"
        elif status == 404:
            kind, text = ObjectNotFoundError, f"{object_name} does not exist"
        elif status == 412:
            kind, text = VersionMismatchError, f"{object_name} is not at the expected version"
        elif status == 416:
            kind, text = InvalidRangeError, ""
        elif code == "InvalidObjectState":
            kind, text = ObjectError, f"{object_name} is archived and must be restored first"
        elif code == "KeyTooLongError" or (key and code == "InvalidURI"):
            kind, text = InvalidKeyError, f"S3 can't hold an object named {key[:100]!r}"
        elif code in REGION or status in (301, 307):
            where = f"in {region}, not in the configured region" if region else "not in the configured region"
            text = f"Bucket {self._bucket} is {where}: set region_name"
        elif status == 501:
            text = f"{self._place} does not know such a request"
        elif code in SLOW_DOWN or status in (429, 503):
            kind, text = StoreUnavailableError, f"{self._place} asks to slow down"
        elif code in PASSING or status >= 500:
            kind, text = StoreUnavailableError, f"{self._place} has a problem of its own"
        elif code in IDENTITY or status == 401:
            kind, text = CredentialsError, f"Cannot connect to S3 {self._bucket} with specified AWS credentials"
        elif status == 403:
            kind, text = AccessDeniedError, f"Cannot connect to S3 {self._bucket} with specified AWS credentials"
        elif code == "InvalidBucketName":
            text = f"{self._bucket} is not a valid name of a bucket"
        return self._error(kind, text, detail)

    def interrupted(self, detail: str) -> StoreError:
        """The error for a connection that ended early."""
        return self._error(StoreUnavailableError, f"The connection to {self._place} broke or was too slow", detail)

    def _by_obstore(self, caught: Exception, key: str) -> StoreError:
        # obstore has classes for a few statuses only; its text quotes the whole answer.
        text = str(caught).partition("Debug source:")
        if status := re.search(r"status code: (\d{3})", text[0]):
            code, message = _element("Code", text[0]), _element("Message", text[0])
            return self.answered(int(status[1]), code, message, key)
        if "redirect without LOCATION" in text[0]:
            return self.answered(301, "", "", key)
        if isinstance(caught, obs.UnauthenticatedError):
            return self._error(CredentialsError, NO_CREDENTIALS.format(bucket=self._bucket), type(caught).__name__)
        if "kind: Connect" in text[2]:
            reason = re.search(r'message: "([^"]*)"', text[2])
            return self._unreachable(reason[1] if reason else "")
        return self.interrupted(text[0])

    def _unreachable(self, detail: str) -> StoreError:
        return self._error(StoreUnreachableError, f"Cannot reach {self._place}", detail)

    def _error(self, kind: type[StoreError], text: str, detail: str) -> StoreError:
        return kind(text, detail=redact(detail, self._secrets))


def _element(name: str, xml: str) -> str:
    found = re.search(rf"<{name}>(.*?)</{name}>", xml, re.DOTALL)
    return unescape(found[1]) if found else ""
