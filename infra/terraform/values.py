"""Values of resources: how they travel, what a plan leaves unknown, and what the stand-in makes up for it.

A value is what MessagePack makes of it: a dict for a block, a list for blocks, None, `UNKNOWN` until it is applied.
"""

import hashlib
import secrets
import string
import uuid
from collections.abc import Callable
from typing import Any

import msgpack

from infra.terraform.schemas import Attribute, Block

UNKNOWN = msgpack.ExtType(0, b"")
_DIGITS = "123456789012"
_TEXTS: dict[str, Callable[[str, str], str]] = {
    "email": lambda name, project: f"{name}@{project}.iam.gserviceaccount.com",
    "member": lambda name, project: f"serviceAccount:{name}@{project}.iam.gserviceaccount.com",
    "email_address": lambda _, project: f"service-{_DIGITS}@{project}.iam.gserviceaccount.com",
    "project": lambda _, project: project,
    "project_id": lambda _, project: project,
    "region": lambda *_: "europe-west1",
    "number": lambda *_: _DIGITS,
    "unique_id": lambda name, _: str(10**20 + int(hashlib.sha256(name.encode()).hexdigest(), 16) % 10**20),
    "account_id": lambda *_: _DIGITS,
    "arn": lambda name, _: f"arn:aws:stand-in:eu-west-1:{_DIGITS}:{name}",
    "uri": lambda name, _: f"https://{name}.stand-in.invalid",
    "url": lambda name, _: f"https://{name}.stand-in.invalid",
    "json": lambda *_: "{}",
}
# How Google names what other resources refer to by `id`.
_IDS = {
    "google_cloud_tasks_queue": "projects/{project}/locations/{location}/queues/{name}",
    "google_cloudfunctions2_function": "projects/{project}/locations/{location}/functions/{name}",
    "google_kms_crypto_key": "{key_ring}/cryptoKeys/{name}",
    "google_kms_key_ring": "projects/{project}/locations/{location}/keyRings/{name}",
    "google_pubsub_subscription": "projects/{project}/subscriptions/{name}",
    "google_pubsub_topic": "projects/{project}/topics/{name}",
    "google_secret_manager_secret": "projects/{project}/secrets/{secret_id}",
    "google_service_account": "projects/{project}/serviceAccounts/{account_id}@{project}.iam.gserviceaccount.com",
    "google_storage_bucket": "{name}",
}
_UUIDS = {"client_id", "object_id", "tenant_id", "principal_id"}


def pack(value: Any) -> bytes:
    """A value for Terraform."""
    return bytes(msgpack.packb(value))


def unpack(packed: bytes) -> Any:
    """A value of Terraform's."""
    return msgpack.unpackb(packed)


def each(block: Block, value: dict[str, Any], change: Callable[[str, Attribute, Any], Any]) -> dict[str, Any]:
    """A block's value with each attribute changed, in blocks inside it too."""
    changed = {name: change(name, attribute, value[name]) for name, attribute in block.attributes.items()}
    for name, nested in block.blocks.items():
        inside = value[name]
        if isinstance(inside, dict):
            changed[name] = each(nested.block, inside, change)
        elif isinstance(inside, list):
            changed[name] = [each(nested.block, one, change) for one in inside]
        else:
            changed[name] = inside
    return changed


def planned(block: Block, value: dict[str, Any], defaults: dict[str, Any]) -> dict[str, Any]:
    """What will be: unknown where the cloud decides, unless the provider's own block has a default for it."""

    def plan(name: str, attribute: Attribute, given: Any) -> Any:
        if attribute.how == "write-only":
            return None
        if given is None and attribute.made_by_cloud:
            default = defaults.get(name) if attribute.how == "filled" else None
            return UNKNOWN if default is None else default
        return given

    return each(block, value, plan)


def filled(kind: str, block: Block, value: dict[str, Any], defaults: dict[str, Any]) -> dict[str, Any]:
    """What is: nothing unknown is left. kind: the name of the type. What is made up is the same for the same value."""
    known = {name: given for name, given in value.items() if isinstance(given, str)}
    required = [known[name] for name, one in block.attributes.items() if one.how == "required" and name in known]
    project = known.get("project") or defaults.get("project") or "stand-in"
    path = _IDS[kind].format_map(known | {"project": project}) if kind in _IDS else "/".join([kind, *required])
    short = known.get("account_id") or known.get("name") or hashlib.sha256(path.encode()).hexdigest()[:12]

    def fill(name: str, attribute: Attribute, given: Any) -> Any:
        if attribute.how == "write-only":
            return None
        if isinstance(given, msgpack.ExtType) or (given is None and attribute.made_by_cloud):
            return _made_up(name, attribute.type, path, short, project)
        return given

    return each(block, value, fill)


def _made_up(name: str, cty: Any, path: str, short: str, project: str) -> Any:
    if cty == "string":
        if name in _UUIDS:
            return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{path}#{name}"))
        if name in {"id", "name"}:
            return path
        return _TEXTS[name](short, project) if name in _TEXTS else f"{short}-{name}".replace("_", "-")
    if isinstance(cty, list) and cty[0] == "object":
        return {key: _made_up(key, one, path, short, project) for key, one in cty[1].items()}
    if isinstance(cty, list):
        return {} if cty[0] == "map" else []
    return {"number": 1, "bool": False}.get(cty)


def opened(block: Block, value: dict[str, Any]) -> dict[str, Any]:
    """What an ephemeral resource gives: its secret is a new one each time."""
    letters = string.ascii_letters + string.digits

    def fill(name: str, attribute: Attribute, given: Any) -> Any:
        if given is not None or not attribute.made_by_cloud:
            return given
        if attribute.type == "string":
            return "".join(secrets.choice(letters) for _ in range(value.get("length") or 32))
        return _made_up(name, attribute.type, "", "", "")

    return each(block, value, fill)
