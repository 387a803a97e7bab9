"""Each setting of each type, changed while a sync is under way: what is kept, looked at again, or begun anew.

- `nothing`: the run goes on; gate and ledger stay as they are.
- `again`: the ledger stays, the run ends and another one looks at everything by the new settings. What is outside of
  them now is out of scope: its tasks stay, and nothing is made twice when it is inside again.
- `anew`: another bucket, another ledger. The tasks made so far stay.
"""

import json
from typing import Any

import pytest

from shared.adapters.objects.memory import MemoryObjects
from shared.model.dataset_record import RecordFilter
from shared.model.providers import PROVIDERS
from shared.services.accounts import tokens, users
from shared.services.datasets import records
from shared.services.storages import editing, registration
from shared.services.sync import runs
from shared.settings import Settings
from tests.simulation.world import PROJECT, World

NOTHING, AGAIN, ANEW = "nothing", "again", "anew"
Change = tuple[Any, Any, str]

LABELS: dict[str, Change] = {
    "title": ("one", "two", NOTHING),
    "description": ("one", "two", NOTHING),
    "synchronizable": (True, False, NOTHING),
    "sync_interval": (0, 7, NOTHING),
}
REGEX: dict[str, Change] = {
    "regex_filter": (None, r".*a\.json", AGAIN),
    "glob_filter": (None, "img/*.json", AGAIN),
}
POLICIES: dict[str, Change] = {
    "on_changed": ("update_unannotated", "ignore", NOTHING),
    "on_deleted": ("delete_unannotated", "keep", NOTHING),
}
EVENTS: dict[str, Change] = {"auto_sync": (False, True, NOTHING)}
FOLDERS: dict[str, Change] = {"recursive_scan": (True, False, AGAIN)}
BLOBS: dict[str, Change] = {"use_blob_urls": (True, False, AGAIN), "sidecar": ("none", "json", AGAIN)}
IMAGES: dict[str, Change] = {"image_sizes": (False, True, AGAIN)}
PRESIGN: dict[str, Change] = {"presign": (True, False, NOTHING), "presign_ttl": (1, 9, NOTHING)}
PREFIX: dict[str, Change] = {"prefix": (None, "img", AGAIN)}
INERT: dict[str, Change] = {"regex_filter": (None, "x", NOTHING), "use_blob_urls": (False, True, NOTHING)}
TARGET: dict[str, Change] = {
    "can_delete_objects": (False, True, AGAIN),
    "export_format": ("annotation", "task", AGAIN),
    "key_template": (None, "all/{annotation}.json", AGAIN),
    "manifest": (False, True, AGAIN),
}
BUCKETS: dict[str, dict[str, Change]] = {
    "import": {**LABELS, **PREFIX, **REGEX, **BLOBS, **FOLDERS, **PRESIGN, **POLICIES, **EVENTS},
    "export": {**LABELS, **PREFIX, **INERT, **TARGET},
    "dataset": {**LABELS, **PREFIX, **REGEX, **FOLDERS, **IMAGES, **EVENTS},
}
KEY = "projects/p/locations/l/keyRings/r/cryptoKeys/"
ROLE = "arn:aws:iam::123456789012:role/"
ID = "11111111-2222-3333-4444-55555555555"

S3: dict[str, Change] = {
    "bucket": ("first", "second", ANEW),
    "s3_endpoint": ("http://one:9000", "http://two:9000", ANEW),
    "aws_access_key_id": ("a", "b", NOTHING),
    "aws_secret_access_key": ("a", "b", NOTHING),
    "aws_session_token": ("a", "b", NOTHING),
    "region_name": ("eu-west-1", "eu-west-2", NOTHING),
}
KMS: dict[str, Change] = {"aws_sse_kms_key_id": ("a", "b", NOTHING)}
S3_IMPORT: dict[str, Change] = {**KMS, "s3_public_endpoint": (None, "https://files.example.org", NOTHING)}
S3_TARGET: dict[str, Change] = {**KMS, "aws_sse": (False, True, NOTHING)}
GCS: dict[str, Change] = {"bucket": ("first", "second", ANEW), "google_project_id": ("one", "two", NOTHING)}
GCS_TARGET: dict[str, Change] = {"google_kms_key_name": (KEY + "a", KEY + "b", NOTHING)}
AZURE: dict[str, Change] = {
    "container": ("first", "second", ANEW),
    "account_name": ("one", "two", ANEW),
}
SERVER: dict[str, Change] = {
    "host": ("one", "two", ANEW),
    "port": ("6379", "6380", ANEW),
    "db": (1, 3, ANEW),
    "password": ("a", "b", NOTHING),
    "path": ("", "img", AGAIN),
}
ROLES: dict[str, Change] = {
    "role_arn": (ROLE + "one", ROLE + "two", NOTHING),
    "external_id": ("one", "two", NOTHING),
    "legacy_auth": (False, True, NOTHING),
}
POOL: dict[str, Change] = {
    "google_project_number": ("1234", "5678", NOTHING),
    "google_wif_pool_id": ("pool-one", "pool-two", NOTHING),
    "google_wif_provider_id": ("provider-one", "provider-two", NOTHING),
    "google_service_account_email": ("a@p.iam.gserviceaccount.com", "b@p.iam.gserviceaccount.com", NOTHING),
}
APPLICATION: dict[str, Change] = {
    "auth_mode": ("service_principal", "workload_identity", NOTHING),
    "tenant_id": (ID + "1", ID + "2", NOTHING),
    "client_id": (ID + "1", ID + "2", NOTHING),
    "client_secret": ("a", "b", NOTHING),
}
KEYS: dict[str, Change] = {
    "account_key": ("YQ==", "Yg==", NOTHING),
    "sas_token": ("a", "b", NOTHING),
    "connection_string": (None, "AccountName=one;AccountKey=Yg==", NOTHING),  # the same account
    "azure_endpoint": ("http://one:10000/one", "http://two:10000/one", ANEW),
}


def every(
    place: dict[str, Change], target: dict[str, Change] | None = None, source: dict[str, Change] | None = None
) -> dict[str, dict[str, Change]]:
    return {
        "import": BUCKETS["import"] | place | (source or {}),
        "export": BUCKETS["export"] | place | (target or {}),
        "dataset": BUCKETS["dataset"] | place,
    }


TABLE: dict[str, dict[str, dict[str, Change]]] = {
    "s3": every(S3, S3_TARGET, S3_IMPORT),
    "s3s": every(S3 | ROLES, S3_TARGET, S3_IMPORT),
    "gcs": every(GCS | {"google_application_credentials": ("{}", '{"a": 1}', NOTHING)}, GCS_TARGET),
    "gcswif": every(GCS | POOL, GCS_TARGET),
    "gcs_sa": every(
        GCS | {"target_service_account_email": ("a@p.iam.gserviceaccount.com", "b@p.iam.gserviceaccount.com", NOTHING)},
        GCS_TARGET,
    ),
    "azure": every(AZURE | KEYS),
    "azure_spi": every(AZURE | {"account_name": ("accountone", "accounttwo", ANEW)} | APPLICATION),
    "redis": {
        "import": {**LABELS, **REGEX, **SERVER, "use_blob_urls": (False, True, NOTHING)},
        "export": {**LABELS, **INERT, **SERVER, **TARGET},
    },
    "localfiles": {
        "import": {**LABELS, **REGEX, **BLOBS, **FOLDERS, **POLICIES, "path": ("/one", "/two", ANEW)},
        "export": {**LABELS, **INERT, **TARGET, "path": ("/one", "/two", ANEW)},
        "dataset": {**LABELS, **REGEX, **FOLDERS, **IMAGES, "path": ("/one", "/two", ANEW)},
    },
}
"""Before, after, and what comes of the change."""
CASES = [
    (type_, direction, field) for type_, of in TABLE.items() for direction, fields in of.items() for field in fields
]
ALIKE = [
    ("s3", "s3_endpoint", "http://one:9000", "http://one:9000/"),
    ("s3", "region_name", None, ""),
    ("s3", "prefix", "img", "img/"),
    ("s3", "regex_filter", None, ""),
    ("localfiles", "path", "/one", "/one/"),
    ("azure", "azure_endpoint", "http://one:10000/one", "http://one:10000/one/"),
]
"""Written differently, and the same."""
INSIDE = {"sidecar": 0, "prefix": 2, "path": 2, "regex_filter": 1, "recursive_scan": 1, "use_blob_urls": 4}
INSIDE |= {"glob_filter": 2, "image_sizes": 4}
"""How many of the four objects the changed settings want."""


@pytest.mark.parametrize(
    ("kind", "direction"), [(one.type, direction) for one in PROVIDERS.values() for direction in one.directions]
)
def test_the_table_knows_every_setting(kind: str, direction: str):
    assert set(TABLE[kind][direction]) == {field.name for field in PROVIDERS[kind].fields_of(direction)}  # type: ignore[arg-type]


class Desk:
    """A storage of one type over a bucket in memory, and whoever edits it."""

    def __init__(self, kind: str, direction: Any, **differently: Any) -> None:
        objects = MemoryObjects()
        for key in ("img/a.json", "img/b.json", "c.json", "sub/d.json"):
            objects.put(key, json.dumps({"data": {"text": key}}).encode())
        self.world = World(objects, Settings(max_lanes=2, sync_on_target_storage_creation=False), events=True)
        self.ctx, self.provider, self.direction = self.world.ctx, PROVIDERS[kind], direction
        self.project = PROJECT
        tokens.admit_first(self.ctx.documents, "token", self.world.now)
        self.fields = {name: before for name, (before, _, _) in TABLE[kind][direction].items()} | differently
        given = {"project": self.project, **self.fields}
        user = users.first(self.ctx)
        self.id = registration.create(self.ctx, self.provider, given, direction, user=user).id

    def edit(self, field: str, value: Any) -> None:
        again = {name: self.fields[name] for name in self.provider.secrets} if field in self.provider.hosts else {}
        self.fields[field] = value
        editing.update(
            self.ctx, self.provider, self.id, {**again, field: value}, partial=True, direction=self.direction
        )

    def sync(self) -> Any:
        runs.start_run(self.ctx, self.id)
        return self.work()

    def work(self) -> Any:
        """All that waits is done; the storage afterwards."""
        while self.world.waiting:
            name = min(self.world.waiting, key=self.world.due.__getitem__)
            self.world.now = max(self.world.now, self.world.due[name])
            self.world.run_to_end(self.world.deliver(name))
        return self.ctx.storages.get(self.id).value

    def gate(self) -> Any:
        return self.ctx.gates.get(self.id)

    def tasks(self) -> list[tuple[str, str]]:
        found, _ = self.ctx.tasks.page(self.project, after=None, limit=100)
        return sorted((task.data["key"], task.ref.id) for task in found)

    def records(self) -> dict[str, Any]:
        storage = self.ctx.storages.get(self.id).value
        found = records.page(self.ctx, storage, RecordFilter(), after="", size=100)
        return {entry.key: entry for entry in found.entries}


@pytest.mark.parametrize(("kind", "direction", "field"), CASES)
def test_a_change_in_the_middle_of_a_sync(kind: str, direction: str, field: str):
    _, after, effect = TABLE[kind][direction][field]
    desk = Desk(kind, direction)
    run = runs.start_run(desk.ctx, desk.id)
    before = desk.gate()

    desk.edit(field, after)

    gate = desk.gate()
    assert (gate.value.run == run) == (effect == NOTHING)
    assert (gate.value.map == before.value.map) == (effect != ANEW)
    assert (gate == before) == (effect == NOTHING)
    assert desk.ctx.runs.get(run).value.outcome == ("" if effect == NOTHING else "cancelled")
    assert bool(gate.value.run), "what was to be synced is synced"


@pytest.mark.parametrize(
    ("kind", "field"), [(kind, field) for kind, direction, field in CASES if direction == "import"]
)
def test_what_becomes_of_tasks(kind: str, field: str):
    """Nothing is ever deleted for an edit, nor made twice in one bucket; and back again is as if nothing had been."""
    former, after, effect = TABLE[kind]["import"][field]
    desk = Desk(kind, "import")
    desk.sync()
    tasks = desk.tasks()
    assert len(tasks) == 4

    desk.edit(field, after)
    done = desk.sync()

    assert (done.status, done.meta["objects_gone"]) == ("completed", 0)
    assert done.meta["objects_imported"] == (INSIDE[field] if effect == AGAIN else 4)
    if effect == ANEW:
        assert (len(desk.tasks()), set(tasks) <= set(desk.tasks())) == (8, True)
        return
    assert desk.tasks() == tasks
    desk.edit(field, former)
    again = desk.sync()
    assert (again.status, again.last_sync_count, again.meta["objects_imported"]) == ("completed", 0, 4)
    assert desk.tasks() == tasks
    assert not any(task.data.get("mark") for task in desk.ctx.tasks.page(desk.project, after=None, limit=100)[0])


@pytest.mark.parametrize(
    ("kind", "field"), [(kind, field) for kind, direction, field in CASES if direction == "dataset"]
)
def test_what_becomes_of_records(kind: str, field: str):
    """They are what the settings make of the bucket, and nothing else: what is out of scope is none, and comes back."""
    former, after, effect = TABLE[kind]["dataset"][field]
    desk = Desk(kind, "dataset")
    desk.sync()
    before = desk.records()
    assert len(before) == 4

    desk.edit(field, after)
    done = desk.sync()

    inside = INSIDE[field] if effect == AGAIN else 4
    assert (done.status, done.meta["objects_imported"], done.meta["objects_gone"]) == ("completed", inside, 0)
    assert done.last_sync_count == (4 if effect == ANEW else 0)
    assert desk.records() == {key: entry for key, entry in before.items() if key in desk.records()}
    assert len(desk.records()) == inside
    desk.edit(field, former)
    again = desk.sync()
    assert (again.status, again.last_sync_count) == ("completed", 4 if effect == ANEW else 4 - inside)
    assert desk.records() == before


@pytest.mark.parametrize(("kind", "field", "former", "after"), ALIKE)
def test_what_is_the_same_changes_nothing(kind: str, field: str, former: Any, after: Any):
    desk = Desk(kind, "import", **{field: former})
    runs.start_run(desk.ctx, desk.id)
    before = desk.gate()

    desk.edit(field, after)

    assert desk.gate() == before
