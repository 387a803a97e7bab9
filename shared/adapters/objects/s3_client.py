"""The clients of one bucket: boto3 knows who we are and signs, obstore moves bytes, a plain HTTP session lists."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import boto3
import botocore.session
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError, NoCredentialsError, PartialCredentialsError
from botocore.httpsession import URLLib3Session
from botocore.loaders import Loader, create_loader
from botocore.utils import get_environ_proxies
from obstore.store import S3Store

from shared.adapters.objects.google_identity import WebIdentity
from shared.adapters.objects.s3_role import assume, trade
from shared.errors import CredentialsError

if TYPE_CHECKING:
    from obstore.store import ClientConfig, S3Config, S3Credential

CREDENTIAL_LIFE = timedelta(minutes=9)
"""boto3 hands out credentials that last ten minutes more, at least; obstore asks again five minutes before the end."""

STS_ATTEMPTS = 2
"""For each time that a session is asked for; who connects tries that again, too."""


class Clients(NamedTuple):
    """Made once, used by all threads."""

    boto: Any
    """Sends each request once: who asks again is `attempts.tried`, which knows what a lost answer means."""
    signer: Any
    """The client whose signed URLs people get: the same, unless they reach the bucket elsewhere than we do."""
    http: URLLib3Session
    reader: S3Store
    writer: S3Store
    """Sends each request once, too."""
    credentials: Any
    """botocore's, which renews them; None where nobody is named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Access:
    """Where the bucket is and as whom it is used. Without keys, `web_identity` has some, else boto3's chain finds them.

    With a role, they only serve to assume it, at `sts_endpoint` or at AWS. `public_endpoint` is the service's address
    for browsers, where `endpoint` is one that only servers reach.
    """

    bucket: str
    region: str | None
    endpoint: str | None
    access_key: str | None = field(repr=False)
    secret_key: str | None = field(repr=False)
    session_token: str | None = field(repr=False)
    role_arn: str | None
    external_id: str | None = field(repr=False)
    sts_endpoint: str | None
    web_identity: WebIdentity | None
    public_endpoint: str | None
    anonymous: bool
    encryption: Mapping[str, str]
    """Options of a request that writes, as boto3 names them."""
    connect_timeout: float
    read_timeout: float
    attempts: int
    secrets: set[str] = field(default_factory=set, repr=False)
    """What must not get into any text."""

    def __post_init__(self) -> None:
        given = (self.access_key, self.secret_key, self.session_token, self.external_id)
        self.secrets.update(filter(None, given))

    def connect(self) -> Clients:
        """Makes the clients; asks S3 for the bucket's region if none is given. Raises what boto3 raises."""
        if not all(value.isascii() and value.isprintable() and " " not in value for value in self.secrets):
            raise CredentialsError("It seems access keys are incorrect", detail="a blank or a character no key has")
        if bool(self.access_key) != bool(self.secret_key):
            missing = "aws_secret_access_key" if self.access_key else "aws_access_key_id"
            raise PartialCredentialsError(provider="fields", cred_var=missing)
        core = botocore.session.get_session()
        core.register_component("data_loader", _descriptions())
        if self.web_identity and not (self.access_key or self.anonymous):
            core = self._by_web_identity(core, self.web_identity)
        session = boto3.Session(
            botocore_session=core,
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
            aws_session_token=self.session_token,
        )
        if not self.anonymous and session.get_credentials() is None:
            raise NoCredentialsError
        region = self.region or session.region_name or "us-east-1"
        if self.role_arn:
            session = self._as_role(core, session, region)
        client = self._client(session, region, self.endpoint)
        if not self.region and not self.endpoint and (actual := _region_of(client, self.bucket)) not in ("", region):
            client.close()
            region = actual
            client = self._client(session, region, self.endpoint)
        signer = self._client(session, region, self.public_endpoint) if self.public_endpoint else client
        url = client.meta.endpoint_url
        bundle = core.get_config_variable("ca_bundle")
        http = URLLib3Session(
            verify=bundle or True,
            timeout=(self.connect_timeout, self.read_timeout),
            proxies=get_environ_proxies(url),
            max_pool_connections=32,
        )
        credentials = None if self.anonymous else session.get_credentials()
        store = partial(self._store, credentials, region, url, bundle)
        return Clients(client, signer, http, store(self.attempts - 1), store(0), credentials)

    def _by_web_identity(self, core: botocore.session.Session, web: WebIdentity) -> botocore.session.Session:
        return trade(
            core,
            web,
            endpoint=self.sts_endpoint,
            region=self.region or core.get_config_variable("region") or "us-east-1",
            config=self._config(STS_ATTEMPTS),
            secrets=self.secrets,
        )

    def _as_role(self, core: botocore.session.Session, session: boto3.Session, region: str) -> boto3.Session:
        assumed = assume(
            core,
            session.get_credentials(),
            self.role_arn or "",
            self.external_id,
            endpoint=self.sts_endpoint,
            region=region,
            config=self._config(STS_ATTEMPTS),
            secrets=self.secrets,
        )
        return boto3.Session(botocore_session=assumed)

    def _client(self, session: boto3.Session, region: str, endpoint: str | None) -> Any:
        config: dict[str, Any] = {}
        if endpoint:
            # Other servers than Amazon's often know neither names in the host nor the newer checksums.
            config["s3"] = {"addressing_style": "path"}
            config["request_checksum_calculation"] = config["response_checksum_validation"] = "when_required"
        return session.client(
            "s3",
            region_name=region,
            endpoint_url=endpoint,
            config=self._config(
                1, signature_version=UNSIGNED if self.anonymous else "s3v4", max_pool_connections=32, **config
            ),
        )

    def _config(self, attempts: int, **more: Any) -> Config:
        return Config(
            connect_timeout=self.connect_timeout,
            read_timeout=self.read_timeout,
            retries={"mode": "standard", "total_max_attempts": attempts},
            **more,
        )

    def _store(self, credentials: Any, region: str, url: str, bundle: str | None, retries: int) -> S3Store:
        def provide() -> "S3Credential":
            frozen = credentials.get_frozen_credentials()
            self.secrets.update(filter(None, frozen[:3]))  # the fourth is the account's number, which is none
            return {
                "access_key_id": frozen.access_key,
                "secret_access_key": frozen.secret_key,
                "token": frozen.token,
                "expires_at": None if self.access_key and not self.role_arn else datetime.now(UTC) + CREDENTIAL_LIFE,
            }

        if not self.anonymous:
            provide()
        trust: ClientConfig = {"root_certificate": Path(bundle).read_bytes()} if bundle else {}
        config: S3Config = {
            "region": region,
            "endpoint": url,
            "aws_endpoint_url_s3": url,
            "virtual_hosted_style_request": False,
            "skip_signature": self.anonymous,
        }
        if kind := self.encryption.get("ServerSideEncryption"):
            config["server_side_encryption"] = kind
        if key := self.encryption.get("SSEKMSKeyId"):
            config["sse_kms_key_id"] = key
        if not self.endpoint:
            config["checksum_algorithm"] = "SHA256"  # buckets with locked objects take nothing without one
        # Everything that obstore would otherwise take from the environment is said, so that boto3 alone decides.
        return S3Store(
            self.bucket,
            config=config,
            credential_provider=None if self.anonymous else provide,
            client_options={
                **trust,
                "allow_http": url.startswith("http:"),
                "connect_timeout": timedelta(seconds=self.connect_timeout),
                "read_timeout": timedelta(seconds=self.read_timeout),
                "timeout": timedelta(seconds=10 * self.read_timeout),
            },
            retry_config={
                "max_retries": retries,
                "retry_timeout": timedelta(seconds=2 * self.read_timeout),
                "backoff": {
                    "init_backoff": timedelta(milliseconds=100),
                    "max_backoff": timedelta(seconds=2),
                    "base": 2,
                },
            },
        )


@cache
def _descriptions() -> Loader:
    """The descriptions of AWS's interfaces: read once, since that is nearly all the time that a client takes."""
    return create_loader()


def _region_of(client: Any, bucket: str) -> str:
    # S3 names the region with a refusal as well.
    try:
        answer = client.head_bucket(Bucket=bucket)
    except ClientError as caught:
        answer = caught.response
    return str(answer["ResponseMetadata"].get("HTTPHeaders", {}).get("x-amz-bucket-region", ""))
