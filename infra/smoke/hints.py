"""Where to look when a step fails: the log of the function that did it, and the permission that it may lack."""

from shared.model.providers import PROVIDERS

READING = {
    "gcs": "roles/storage.objectViewer on the bucket (storage.objects.list and storage.objects.get)",
    "s3": "s3:ListBucket on the bucket and s3:GetObject on its objects",
    "azure": "Storage Blob Data Reader on the container, or a key of its account",
}
SIGNING = {
    "gcs": "The service account must be roles/iam.serviceAccountTokenCreator on itself.",
    "s3": "Whoever signs must be allowed s3:GetObject, and kms:Decrypt where the bucket has a key of its own.",
    "azure": "An application must be Storage Blob Delegator on the account.",
}


def log(name: str, function: str, more: str = "severity>=WARNING") -> str:
    """The filter for a function's log in Cloud Logging."""
    service = f"{name}-{function.replace('_', '-')}"
    return f'log: resource.type="cloud_run_revision" resource.labels.service_name="{service}" {more}'


def address(name: str) -> str:
    """Nobody answers, or not Sluice."""
    return f"--url must be that of the function api, which everybody may call (roles/run.invoker); {log(name, 'api')}"


def caller(name: str) -> str:
    """A call was refused."""
    return (
        f"the token must be a good one of an admin of this server: --token-env names its variable; {log(name, 'api')}"
    )


def bucket(name: str, kind: str, function: str) -> str:
    """A bucket can't be read."""
    store = PROVIDERS[kind].store
    return f"the identity of {function} needs {READING[store]}; {log(name, function)}"


def queue(name: str, storage: int) -> str:
    """A sync does not move."""
    more = log(name, "sync_chunk", f"jsonPayload.storage={storage}")
    return (
        f"the queues {name}-runs-* may be paused, their account may not be allowed to call sync_chunk "
        f"(roles/run.invoker), or the timer of sweep does not run; {more}"
    )


def signing(name: str, kind: str) -> str:
    """A medium can't be loaded."""
    return f"{SIGNING[PROVIDERS[kind].store]} {log(name, 'api')}"


def notifications(name: str, kind: str) -> str:
    """An upload was not told of."""
    function = "bucket_event" if PROVIDERS[kind].store == "gcs" else "bucket_webhook"
    return f"the bucket must notify {function}: `sluice notifications enable` prints how; {log(name, function)}"
