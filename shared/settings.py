"""Settings: every limit, timer and address, with defaults that are right for a laptop and for the cloud.

`Settings.from_env()` is called once, by `app`; nothing else reads the environment.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, get_type_hints

COMPATIBLE_PREFIXES = ("LABEL_STUDIO_", "HEARTEX_", "")
"""Where Label Studio's users already have these variables; looked up in this order."""
OWN_PREFIX = "SLUICE_"
PRIVATE_MARK = ".sluice-data"
"""A file of this name makes its folder private, as data directories are: no storage lists or reads what lies in it."""
BARE_NAMES = {
    "storage_in_progress_timer": "STORAGE_IN_PROGRESS_TIMER",
    "sync_on_target_storage_creation": "SYNC_ON_TARGET_STORAGE_CREATION",
    "local_files_document_root": "LOCAL_FILES_DOCUMENT_ROOT",
    "local_files_serving_enabled": "LOCAL_FILES_SERVING_ENABLED",
    "storage_emulator_host": "STORAGE_EMULATOR_HOST",
    "azure_blob_account_name": "AZURE_BLOB_ACCOUNT_NAME",
    "azure_blob_account_key": "AZURE_BLOB_ACCOUNT_KEY",
    "google_metadata_host": "GCE_METADATA_HOST",
    "azure_login_url": "AZURE_AUTHORITY_HOST",
    "azure_federated_token_file": "AZURE_FEDERATED_TOKEN_FILE",
    "azure_tenant_id": "AZURE_TENANT_ID",
    "azure_client_id": "AZURE_CLIENT_ID",
}

LEAST = {
    "batch_writes": 100,  # half of them is for what a commit writes beside its tasks
    "batch_bytes": 1_000_000,  # a task of `max_row_bytes` fits
    "max_lanes": 1,
    "queue_pool": 1,
    "chunk_target": 1,
    "fetch_parallel": 1,
    "storage_in_progress_timer": 0.1,
    "slice_seconds": 1.0,
}
"""Below these nothing would ever get done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One field, one variable: `max_lanes` is `SLUICE_MAX_LANES`; a few carry Label Studio's names."""

    # Where things are.
    data_dir: str = ".sluice"
    secret_key: str = ""
    """Fernet key that encrypts stored credentials, and from which the key that signs tokens is derived. Several with
    commas between: the first encrypts, all decrypt. Empty: made once, kept in the data directory (local only)."""
    token: str = ""
    """The first user's API token. Empty: made once and printed (local only)."""
    hostname: str = ""
    """Prefix of URLs in tasks, such as https://sluice.example.org; empty makes them relative."""
    local_files_document_root: str = "/"
    local_files_serving_enabled: bool = False
    storage_emulator_host: str = ""
    """Another server than Google's for Google Cloud Storage; used without credentials where a storage has none."""
    azure_blob_account_name: str = ""
    azure_blob_account_key: str = ""
    """For Azure storages that name no account, key or endpoint of their own."""

    # Whom other clouds are asked to make us, and where; no storage has a say in it.
    aws_sts_endpoint: str = ""
    """URL of the service that assumes roles; empty: that of the region."""
    aws_web_identity_role_arn: str = ""
    """The role that this process is at AWS, by its Google service account. Empty: it is whom boto3's chain finds."""
    aws_web_identity_audience: str = "sluice"
    """What the token for it is for: `accounts.google.com:oaud` in the role's trust policy."""
    google_credential_source: str = ""
    """Where this process has the token that `gcswif` trades: the `credential_source` of Google's credential files, as
    JSON: `{"file": …}`, `{"url": …, "headers": …, "format": …}`, or `{"environment_id": "aws1", …}`."""
    google_sts_url: str = "https://sts.googleapis.com/v1/token"
    google_iam_credentials_url: str = "https://iamcredentials.googleapis.com"
    azure_blob_url: str = "https://{account}.blob.core.windows.net"
    """Of accounts that applications read (`azure_spi`)."""
    azure_login_url: str = "https://login.microsoftonline.com"
    azure_federated_token_file: str = ""
    azure_tenant_id: str = ""
    azure_client_id: str = ""
    """Who this process is for `workload_identity`, as Azure's webhook for Kubernetes says it."""
    azure_google_identity: bool = False
    """It proves that by its Google service account instead; then there must be no `azure_federated_token_file`."""
    google_metadata_host: str = "metadata.google.internal"
    """Where Google tells this process which service account it is."""

    # The cloud.
    documents: str = "sqlite"
    """The document store: `sqlite` (in the data directory) or `firestore`."""
    google_project: str = ""
    firestore_database: str = "(default)"

    # Users.
    refresh_token_days: float = 3650.0
    """How long a new refresh token is good."""
    max_users: int = 5000
    max_member_projects: int = 500
    """Projects that one member can have; admins see all."""
    max_tokens: int = 100
    """Refresh tokens of one user, at most 400: all of them are removed in one commit."""

    # The queue, where it is not in this process.
    queue: str = "inprocess"
    """`inprocess`, or `cloudtasks`, which needs project, location, the URL of sync_chunk and the account too."""
    google_location: str = ""
    sync_chunk_url: str = ""
    """Where the function is; also the audience of tokens for it."""
    sweep_url: str = ""
    deliver_webhook_url: str = ""
    export_annotations_url: str = ""
    add_records_url: str = ""
    caller_service_account: str = ""
    """The account whose tokens the queue sends, and whom the functions let in."""
    queue_prefix: str = "sluice"
    queue_pool: int = 1
    """Queues per kind of message. Change it only while no sync is under way."""
    function_timeout: float = 600.0
    """Time-out of the deployed sync_chunk; the queue gives up an attempt after it."""
    cloud_tasks_endpoint: str = ""
    """host:port of a Cloud Tasks server on this machine; empty is Google's."""

    # Who may call sync_chunk and sweep.
    allowed_callers: str = ""
    """More service accounts, with commas between: the timer's."""
    caller_audience: str = ""
    """Audience of callers' tokens. Empty: the function's own URL."""
    caller_keys_url: str = "https://www.googleapis.com/oauth2/v3/certs"
    platform_checks_callers: bool = False
    """Only where the platform lets nobody in without permission: it takes the signature off a token it checked."""
    trust_callers: bool = False
    """Lets everybody call. Only for a machine that nobody else reaches."""

    # Who tells of changes in buckets. Without settings nobody may.
    event_window: float = 2.0
    """Seconds for which news of a part of a bucket are gathered before it is listed."""
    notice_bytes: int = 1024 * 1024
    """Size of one request with notifications."""
    bucket_event_url: str = ""
    """Where the function is; also the audience of Pub/Sub's tokens for it."""
    event_service_accounts: str = ""
    """The accounts of Pub/Sub's push subscriptions, with commas between; nobody else may call bucket_event."""
    sns_topics: str = ""
    """ARNs of the SNS topics that bucket_webhook listens to, with commas between."""
    sns_hosts: str = ""
    """Hosts (with port) beside Amazon's own that certificates are fetched from, and subscriptions confirmed at: of a
    private cloud. For these alone http:// will do."""
    sns_max_age: float = 3600.0
    """Seconds after which a signed message is too old to count: SNS tries no longer."""
    notice_secrets: str = ""
    """What EventBridge, raw SNS deliveries and Event Grid prove themselves with, at least 16 characters each. Several
    with commas between, while one replaces another."""
    notice_secret_header: str = "X-Sluice-Secret"  # noqa: S105  its name
    """Where it stands; the query parameter `secret` will do as well, where a sender sets no headers."""
    entra_audience: str = ""
    """Whom the tokens of Event Grid are for: the application's id or its URI."""
    entra_issuers: str = ""
    """`https://sts.windows.net/<tenant>/`, or `https://login.microsoftonline.com/<tenant>/v2.0`, or both."""
    entra_applications: str = "4962773b-9cdb-44cf-a8bf-237846a00ab7"
    """Who may bring them: Event Grid's own application in the public cloud."""
    entra_keys_url: str = "https://login.microsoftonline.com/common/discovery/v2.0/keys"

    # Liveness.
    storage_in_progress_timer: float = 10.0
    """Seconds between heartbeats. A lease lives five of these; a run without sign of life for five is judged."""
    slice_seconds: float = 240.0
    """How long one invocation works before it hands over: well below the function's and the queue's time-out."""
    sweep_interval: float = 60.0
    rewake_seconds: float = 30.0
    """Work that lies unowned for this long is woken by the sweep."""

    schema_settle_seconds: float = 3600.0
    """How long after a migration's begin somebody may still work as the release before did: longer than a deployment
    and an invocation (`function_timeout`)."""

    # Fan-out and batches.
    max_lanes: int = 16
    chunk_target: int = 1000
    """Entries of a chunk as cut; it may grow to twice that before it is cut again."""
    chunk_bytes: int = 192 * 1024
    """Worst-case size of a chunk's keys as cut (64 bytes an entry on top)."""
    batch_writes: int = 490
    batch_bytes: int = 3_000_000
    fetch_parallel: int = 32
    fetch_bytes: int = 32 * 1024 * 1024
    """Bytes of small objects held at once by one invocation."""
    big_bytes: int = 1024 * 1024
    """Objects above this are streamed, not fetched whole."""
    max_row_bytes: int = 900_000
    max_rows_to_align: int = 1_000_000
    max_unordered_keys: int = 1_000_000
    """Keys of one listing where the store does not sort, so that all of them are collected first (Redis)."""

    deletion_floor: int = 100
    deletion_share: float = 0.1
    """With `on_deleted` delete_unannotated: if more objects than both of these (the second: of a storage's objects)
    are gone, no task is deleted unless somebody asks for it."""

    keep_tombstones_days: float = 7.0
    """How long a target remembers what was deleted: longer than any late writer lives."""
    keep_runs_days: float = 30.0
    """How long the record of an ended run is kept."""

    idempotency_seconds: float = 86_400.0
    """How long a request that is repeated under the same Idempotency-Key is known."""

    # Patience.
    max_tries: int = 8
    """Transient faults in a row, without progress, before a run fails (back-off 1 s, doubling to `max_backoff`)."""
    max_backoff: float = 30.0
    max_crashes: int = 3
    """Times an object may kill its worker before it is set aside as failed."""
    max_chunk_crashes: int = 10
    """Times a chunk may kill its worker without any progress before the run fails."""

    sync_on_target_storage_creation: bool = True
    """Whether a new export storage starts a full sync."""

    # Targets.
    export_max_attempts: int = 10
    """Times a changed annotation is tried to be written (1 s between, doubling to 10 min) before its target fails."""
    export_look_again: float = 900.0
    """Seconds after which a deleted object is looked for again: no invocation lives so long (`function_timeout`)."""

    # Webhooks.
    max_webhooks: int = 10
    """Of a project, and of all projects: each adds a write to the commits that it is told of. Beyond 20, the
    deletion of a project with many storages does not fit into a commit."""
    webhook_timeout: float = 10.0
    """Seconds in which a receiver has to answer, all in all."""
    webhook_max_attempts: int = 10
    webhook_bytes: int = 4 * 1024 * 1024
    """Size of tasks or annotations in one delivery; what is larger is split, unless it is a single one."""
    webhook_allow_private: bool = False
    """Lets webhooks have addresses that only this network reaches. Never where users are not to be trusted with it."""

    # Media.
    media_piece_bytes: int = 2 * 1024 * 1024
    """Size of the pieces in which an object is streamed; two are held at once."""
    media_max_range_bytes: int = 0
    """The most that a range without an end is answered with, where the platform limits answers; 0: all of it."""
    media_cache_seconds: int = 3600
    """How long browsers keep what was streamed to them before they ask whether it is still the same."""
    max_resolve_uris: int = 1000
    """URIs that one request can have signed."""
    cors_origins: str = ""
    """Origins of web pages that may use the API, with commas between: https://label.example.org. "*" is all."""

    # Requests.
    preview_objects: int = 100
    """Objects that a preview of a bucket shows where its request does not say how many."""
    max_preview_objects: int = 1000
    preview_seconds: float = 30.0
    """How long a preview looks for objects."""
    records_seconds: float = 5.0
    """How long one request looks through a dataset's records; then it says where to go on."""
    rows_seconds: float = 10.0
    """How long one request reads rows of a dataset's file; then it says where to go on."""
    rows_bytes: int = 128 * 1024 * 1024
    """The most that it reads of the file, and"""
    rows_answer_bytes: int = 8 * 1024 * 1024
    """the size of the rows beyond which it shows no further one."""
    rows_sample_bytes: int = 512 * 1024
    """Size of the first rows by which the columns of JSON files are told; a thousand rows at most."""
    snapshot_seconds: float = 20.0
    """How long one request takes a snapshot; the next one goes on with it."""
    max_snapshots: int = 100
    """Of one dataset. The removal of one looks at the lists of all others."""
    max_body_bytes: int = 32 * 1024 * 1024
    page_size: int = 100
    max_page_size: int = 1000
    max_selected_tasks: int = 100_000
    """Tasks of a project that a filter or another order looks through in one request."""
    connect_timeout: float = 5.0
    read_timeout: float = 30.0

    @classmethod
    def from_env(cls, env: Mapping[str, str] = os.environ, **overrides: Any) -> "Settings":
        """Settings from variables; `overrides` win. A value that can't be meant is named in the ValueError."""
        hints = get_type_hints(cls)
        values: dict[str, Any] = {}
        for field in fields(cls):
            names = [OWN_PREFIX + field.name.upper()]
            if bare := BARE_NAMES.get(field.name):
                names += [prefix + bare for prefix in COMPATIBLE_PREFIXES]
            for name in names:
                if (text := env.get(name)) is not None:
                    value = values[field.name] = _parse(name, text, hints[field.name])
                    if value < LEAST.get(field.name, value):
                        raise ValueError(f"{name}={text!r}: at least {LEAST[field.name]} is needed")
                    break
        return cls(**(values | overrides))

    @property
    def stale_after(self) -> float:
        """Seconds without a sign of life after which a lease lapses and a run is judged."""
        return 5 * self.storage_in_progress_timer


def _parse(name: str, text: str, kind: type) -> Any:
    if kind is bool:
        if text.lower() in {"1", "true", "yes", "on"}:
            return True
        if text.lower() in {"", "0", "false", "no", "off"}:
            return False
        raise ValueError(f"{name}={text!r}: write true or false")
    try:
        return kind(text)
    except ValueError:
        raise ValueError(f"{name}={text!r}: a number is needed") from None
