"""Looks for what keeps the objects of a storage from being seen in a browser, from where a browser would look.

Each step needs the one before. Nothing is changed, and no signed URL is told to anybody.
"""

import json
from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import httpx

from infra.client import ApiError, Client, Storage
from shared.model.providers import PROVIDERS

SHOWN = ("Accept-Ranges", "Content-Length", "Content-Range", "Content-Type", "ETag")
MAX_AGE = 3600


class Finding(NamedTuple):
    """What one step found; `remedy` is what to do where it is not well."""

    step: str
    well: bool
    text: str
    remedy: str = ""


def examine(client: Client, storage: Storage, origin: str = "") -> Iterator[Finding]:
    """The findings, in order, up to the first that is not well. `origin`: of the page; without it, the server's."""
    own = _origin(client.url)
    origin = origin.rstrip("/") or own
    # Whoever is redirected from another server than the page's own is nobody: that is the browsers' rule.
    seen = origin if origin == own else "null"
    try:
        yield _connection(client, storage)
        key = _first_key(client, storage)
    except ApiError as error:
        yield Finding("bucket", False, str(error), "Correct the settings of the storage.")
        return
    if key is None:
        yield Finding("objects", False, f"{storage.place} holds no object yet.", "Put one there, then look again.")
        return
    yield Finding("objects", True, f"{storage.place} holds {key}")
    if storage.type not in PROVIDERS or not _signs(storage):
        yield Finding("signing", True, "Sluice streams the objects itself: the bucket's CORS settings don't matter.")
        return
    found = client.resolve(storage.project, [f"{_root(storage)}/{key}"])[0]
    if found["url"] is None:
        yield Finding("signing", False, found["error"], "Mend that, or set presign to false to stream objects.")
        return
    if found["expires_at"] is None:
        text = "These credentials can't sign URLs, so Sluice streams the objects: CORS settings don't matter."
        yield Finding("signing", True, text)
        return
    yield Finding("signing", True, f"A URL at {urlsplit(found['url']).netloc} was signed.")
    yield from _loading(storage, found["url"], seen)


def _connection(client: Client, storage: Storage) -> Finding:
    client.validate(storage)
    return Finding("bucket", True, "The server reaches the bucket, and may list it.")


def _first_key(client: Client, storage: Storage) -> str | None:
    found = client.files(storage, 1)
    return str(found[0]["key"]) if found and found[0]["size"] is not None else None


def _loading(storage: Storage, url: str, origin: str) -> Iterator[Finding]:
    """As a browser here would load it."""
    host = urlsplit(url).netloc
    try:
        answer = httpx.get(url, headers={"Origin": origin, "Range": "bytes=0-0"}, timeout=10)
    except httpx.HTTPError as error:
        remedy = "Look from where annotators are."
        if storage.settings.get("s3_endpoint"):
            remedy = "If only servers reach that address, set s3_public_endpoint to the one that browsers reach."
        yield Finding("loading", False, f"{host} can't be reached from here: {type(error).__name__}.", remedy)
        return
    if answer.status_code >= httpx.codes.BAD_REQUEST:
        text = f"{host} answers {answer.status_code} {_code(answer)}".rstrip()
        remedy = "See what the code means in the provider's documentation."
        if answer.status_code == httpx.codes.FORBIDDEN:
            remedy = (
                "The credentials that sign must be allowed to read objects (s3:GetObject, storage.objects.get, "
                "Azure's read), with the key that encrypts them if there is one."
            )
        yield Finding("loading", False, text, remedy)
        return
    yield Finding("loading", True, f"{host} gives the object.")
    allowed = answer.headers.get("access-control-allow-origin", "")
    who = f"pages of {origin}" if origin != "null" else "pages of other servers than Sluice's (their origin is null)"
    if allowed in {"*", origin}:
        yield Finding("cors", True, f"The bucket lets {who} in.")
        return
    yield Finding(
        "cors",
        False,
        f"The bucket does not let {who} in: images may show, but can't be drawn on or played.",
        cors_remedy(storage, origin),
    )


def cors_remedy(storage: Storage, origin: str) -> str:
    """The rule for the bucket as JSON, and the command that sets it."""
    origins = ["*"] if origin == "null" else [origin]
    bucket = storage.settings.get("bucket") or storage.settings.get("container")
    store = PROVIDERS[storage.type].store
    if store == "gcs":
        rule: Any = [
            {"origin": origins, "method": ["GET", "HEAD"], "responseHeader": list(SHOWN), "maxAgeSeconds": MAX_AGE}
        ]
        command = f"gcloud storage buckets update gs://{bucket} --cors-file=cors.json"
    elif store == "azure":
        rule = {"origins": origins, "methods": ["GET", "HEAD"], "exposedHeaders": list(SHOWN), "maxAge": MAX_AGE}
        command = (
            f"az storage cors add --services b --methods GET HEAD --origins '{origins[0]}' --allowed-headers '*' "
            f"--exposed-headers '{','.join(SHOWN)}' --max-age {MAX_AGE} --account-name ACCOUNT"
        )
    else:
        rule = {
            "CORSRules": [
                {
                    "AllowedOrigins": origins,
                    "AllowedMethods": ["GET", "HEAD"],
                    "AllowedHeaders": ["*"],
                    "ExposeHeaders": list(SHOWN),
                    "MaxAgeSeconds": MAX_AGE,
                }
            ]
        }
        endpoint = storage.settings.get("s3_endpoint")
        at = f" --endpoint-url {endpoint}" if endpoint else ""
        command = f"aws s3api put-bucket-cors --bucket {bucket} --cors-configuration file://cors.json{at}"
    what = "The rule" if store == "azure" else "Save this as cors.json"
    return f"{what}:\n{json.dumps(rule, indent=2)}\nThen run, as somebody who may configure the bucket:\n{command}"


def _signs(storage: Storage) -> bool:
    return PROVIDERS[storage.type].store not in {"localfiles", "redis"} and bool(storage.settings.get("presign"))


def _root(storage: Storage) -> str:
    """The URI of the bucket."""
    return "/".join(storage.place.split("/")[:3])


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _code(answer: httpx.Response) -> str:
    """The provider's code for what is wrong; the rest of its answer may repeat the signature."""
    _, opened, rest = answer.text[:2000].partition("<Code>")
    code = rest.partition("</Code>")[0]
    return code if opened and code.isalnum() else ""
