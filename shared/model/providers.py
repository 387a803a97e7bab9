"""The storage types as data: their fields, defaults, secrets and limits. A new provider adds one entry here."""

from collections.abc import Mapping

from shared.model.fields import (
    AUTO_SYNC,
    BLOB_URLS,
    BLOB_URLS_EXPORT,
    BUCKET,
    COMMON,
    EXPORTS,
    IMPORTS,
    POLICIES,
    PREFIX,
    PRESIGN,
    RECURSIVE,
    REGEX,
    TARGET,
    Field,
)
from shared.model.identities import by_application, by_federation, by_impersonation, by_role
from shared.model.order import by_utf16
from shared.model.provider import Provider

S3 = Provider(
    type="s3",
    store="s3",
    title="AWS S3",
    location=("s3_endpoint", "bucket"),
    hosts=("s3_endpoint",),
    bucket="bucket",
    lanes=True,
    fields=(
        *COMMON,
        BUCKET,
        *PREFIX,
        *REGEX,
        *BLOB_URLS,
        Field(name="aws_access_key_id", secret=True, help="Access key; empty: the environment's credentials."),
        Field(name="aws_secret_access_key", secret=True, help="Secret of the access key."),
        Field(name="aws_session_token", secret=True, help="Session token of temporary credentials."),
        Field(name="aws_sse_kms_key_id", only=IMPORTS, inert=True, help="Has no meaning for imports."),
        Field(name="aws_sse_kms_key_id", only=EXPORTS, help="KMS key for objects that are written."),
        Field(
            name="aws_sse",
            label="Encrypt with S3's own key",
            kind="flag",
            default=False,
            only=EXPORTS,
            help="Whether objects are encrypted with a key of S3 (AES256), where no KMS key is given.",
        ),
        Field(name="region_name", trim=True, help="Region of the bucket; empty: found out."),
        Field(name="s3_endpoint", trim=True, check="url", help="URL of an S3-compatible service; empty: AWS."),
        Field(
            name="s3_public_endpoint",
            trim=True,
            check="url",
            only=IMPORTS,
            help="URL of that service for browsers, which signed URLs are made for; empty: the same.",
        ),
        *PRESIGN,
        *RECURSIVE,
        *POLICIES,
        AUTO_SYNC,
        *TARGET,
    ),
)

GCS = Provider(
    type="gcs",
    store="gcs",
    title="Google Cloud Storage",
    location=("bucket",),
    bucket="bucket",
    lanes=True,
    fields=(
        *COMMON,
        BUCKET,
        *PREFIX,
        *REGEX,
        *BLOB_URLS,
        Field(
            name="google_application_credentials",
            secret=True,
            help="Content of a service account's JSON key; empty: the identity of this process.",
        ),
        Field(name="google_project_id", trim=True, help="Project that pays, where the bucket wants one named."),
        Field(
            name="google_kms_key_name",
            trim=True,
            only=EXPORTS,
            help="Cloud KMS key for objects that are written: projects/<p>/locations/<l>/keyRings/<r>/cryptoKeys/<k>.",
        ),
        *PRESIGN,
        *RECURSIVE,
        *POLICIES,
        AUTO_SYNC,
        *TARGET,
    ),
)


def _azure_account(secrets: Mapping[str, str]) -> str:
    """The account: whose container it is stands in a connection string, if there is one."""
    parts = {
        name.strip().lower(): value.strip()
        for name, _, value in (part.partition("=") for part in secrets.get("connection_string", "").split(";"))
    }
    named = parts.get("accountname") or parts.get("blobendpoint") or secrets.get("account_name", "")
    return f"{named} {parts.get('blobendpoint', '')}".strip().lower()


AZURE = Provider(
    type="azure",
    store="azure",
    title="Microsoft Azure",
    location=("azure_endpoint", "container"),
    hosts=("azure_endpoint", "account_name"),
    identity=_azure_account,
    bucket="container",
    lanes=False,
    sort_key=by_utf16,
    fields=(
        *COMMON,
        Field(name="container", trim=True, check="bucket", needed=True, help="Name of the container."),
        *PREFIX,
        *REGEX,
        *BLOB_URLS,
        Field(name="account_name", trim=True, secret=True, help="Name of the account; empty: the environment's."),
        Field(name="account_key", trim=True, secret=True, help="Key of the account; empty: the environment's."),
        Field(name="sas_token", trim=True, secret=True, help="Shared access signature, instead of the key."),
        Field(name="connection_string", trim=True, secret=True, help="Instead of all that says who and where."),
        Field(
            name="azure_endpoint",
            trim=True,
            check="url",
            help="URL of the account, with all of its path; empty: that of Azure's public cloud.",
        ),
        *PRESIGN,
        *RECURSIVE,
        *POLICIES,
        AUTO_SYNC,
        *TARGET,
    ),
)

REDIS = Provider(
    type="redis",
    store="redis",
    title="Redis",
    location=("host", "port", "db"),
    hosts=("host", "port"),
    prefix="path",
    folders=False,
    blobs=False,
    directions=(*IMPORTS, *EXPORTS),
    lanes=False,
    fields=(
        *COMMON,
        Field(name="path", only=IMPORTS, help="What the keys start with, literally; empty: all keys."),
        Field(name="path", only=EXPORTS, help="What the keys written start with, literally."),
        Field(name="host", trim=True, check="host", help="Name or address of the server; empty: localhost."),
        Field(name="port", trim=True, check="port", help="Port of the server; empty: 6379."),
        Field(name="password", secret=True, help="Password of the server."),
        *REGEX,
        Field(
            name="use_blob_urls",
            kind="flag",
            default=False,
            only=IMPORTS,
            inert=True,
            help="Has no meaning here: values are always JSON, JSONL or Parquet files of tasks.",
        ),
        BLOB_URLS_EXPORT,
        Field(name="db", label="Database", kind="integer", default=1, only=IMPORTS, help="Number of the database."),
        Field(name="db", label="Database", kind="integer", default=2, only=EXPORTS, help="Number of the database."),
        *TARGET,
    ),
)

LOCAL_FILES = Provider(
    type="localfiles",
    store="localfiles",
    title="Local files",
    location=("path",),
    lanes=False,
    basename_filter=True,
    fields=(
        *COMMON,
        Field(name="path", trim=True, needed=True, help="Absolute path of a folder below LOCAL_FILES_DOCUMENT_ROOT."),
        *REGEX,
        *BLOB_URLS,
        *RECURSIVE,
        *POLICIES,
        *TARGET,
    ),
)

PROVIDERS: Mapping[str, Provider] = {
    provider.type: provider
    for provider in (
        *(S3, GCS, AZURE, REDIS, LOCAL_FILES),
        *(by_role(S3), by_federation(GCS), by_impersonation(GCS), by_application(AZURE)),
    )
}
