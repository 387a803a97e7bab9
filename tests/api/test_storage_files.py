"""The preview of a bucket: the objects that a sync would take, in its order, a bounded number in a bounded time."""

from dataclasses import replace
from typing import Any

import pytest

from infra.bench.s3_process import S3Server
from tests.api.buckets import Place, gcs_process, place, settings
from tests.api.client import Api
from tests.emulators_buckets import azure_emulator, redis_emulator

__all__ = ["azure_emulator", "gcs_process", "place", "redis_emulator", "settings"]

NONE = {"key": None, "last_modified": None, "size": None}
KEYS = ["a.json", "b.jpg", "c.json", "in/d.json", "in/deep/e.json"]


def files(api: Api, place: Place, status: int = 200, **fields: Any) -> Any:
    body = {**place.fields, "project": fields.pop("project", None) or api.project(), **fields}
    answer = api.post(f"/api/storages/{place.type}/files", body, status)
    return answer["files"] if status == 200 else answer["validation_errors"]


def keys(found: list[dict[str, Any]]) -> list[str | None]:
    return [it["key"] for it in found]


@pytest.fixture
def filled(place: Place) -> Place:
    for key in reversed(KEYS):
        place.put(key, b"{}" * len(key))
    return place


def test_what_a_sync_would_take(api: Api, filled: Place):
    """Sub-folders only if asked for (a database of keys has none), and files by their name's pattern."""
    flat = KEYS if filled.type == "redis" else KEYS[:3]
    found = files(api, filled)
    assert keys(found) == flat
    assert [it["size"] for it in found] == [2 * len(key) for key in flat]
    for it in found:
        assert list(it) == ["key", "last_modified", "size"]
        # Redis does not know, our servers know the second.
        assert (it["last_modified"] is None) if filled.type == "redis" else it["last_modified"].endswith("Z")
    assert keys(files(api, filled, recursive_scan=True)) == KEYS
    json = [key for key in KEYS if key.endswith(".json")]
    assert keys(files(api, filled, recursive_scan=True, regex_filter=r".*\.json")) == json
    assert files(api, filled, recursive_scan=True, regex_filter="nothing") == []
    if filled.prefix:
        folder = {filled.prefix: "in/"}
        inside = ["in/d.json", "in/deep/e.json"] if filled.type == "redis" else ["in/d.json"]
        assert keys(files(api, filled, **folder)) == inside
        assert keys(files(api, filled, recursive_scan=True, **folder)) == KEYS[3:]
    assert api.count("storages") == api.count("tasks") == 0


def test_the_limit_leaves_a_mark(api: Api, filled: Place):
    found = files(api, filled, recursive_scan=True, limit=2)
    assert keys(found) == ["a.json", "b.jpg", None]
    assert found[-1] == NONE
    assert keys(files(api, filled, recursive_scan=True, limit="5")) == [*KEYS, None]
    assert keys(files(api, filled, recursive_scan=True, limit=6)) == KEYS
    api.ctx.settings = replace(api.ctx.settings, preview_objects=1, max_preview_objects=3)
    assert keys(files(api, filled, recursive_scan=True)) == ["a.json", None]
    assert keys(files(api, filled, recursive_scan=True, limit=10**9)) == [*KEYS[:3], None]


def test_a_stored_storage_lends_what_is_missing_and_is_not_changed(api: Api, filled: Place):
    project = api.project()
    flags = {"recursive_scan": True, "regex_filter": r".*\.json"}
    made = api.post(f"/api/storages/{filled.type}", {"project": project, **filled.fields, **flags}, 201)
    path = f"/api/storages/{filled.type}/files/"
    json = [key for key in KEYS if key.endswith(".json")]
    assert keys(api.post(path, {"project": project, "id": made["id"]})["files"]) == json
    body = {"project": project, "id": made["id"], "regex_filter": "", "limit": 1}
    assert keys(api.post(path, body)["files"]) == ["a.json", None]
    assert api.get(f"/api/storages/{filled.type}/{made['id']}") == made


def test_a_place_that_is_not_there(api: Api, place: Place):
    nowhere: dict[str, Any] = {
        "s3": {"bucket": "nowhere"},
        "gcs": {"bucket": "nowhere"},
        "azure": {"container": "nowhere"},
        "redis": {"port": "9"},
        "localfiles": {"path": "/etc"},
    }[place.type]
    said = files(api, place, 400, **nowhere)["non_field_errors"][0]
    assert said
    assert "a-secret-for-tests" not in said


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        *(({"limit": bad}, "limit") for bad in (0, -1, "x", 1.5, True, [1], {"a": 1})),
        ({"regex_filter": "["}, "regex_filter"),
        ({"path": None}, "non_field_errors"),
        ({"id": "x"}, "id"),
        ({"project": 99}, "project"),
    ],
)
def test_bad_fields_are_named(api: Api, fields: dict[str, Any], field: str):
    body = {"project": api.project(), "path": api.folder(), **fields}
    assert list(api.post("/api/storages/localfiles/files", body, 400)["validation_errors"]) == [field]


@pytest.mark.parametrize(("pages", "seconds", "shown"), [(0, 0.1, 0), (1, 2.0, 100)])
def test_a_bucket_that_stops_answering_ends_with_a_sentence(
    api: Api, s3: S3Server, pages: int, seconds: float, shown: int
):
    """What came before is shown, and nobody waits for the rest."""
    s3.fill("many", 1500)
    api.ctx.settings = replace(api.ctx.settings, preview_seconds=seconds)
    secrets = {"aws_access_key_id": "AKIDFORTESTS", "aws_secret_access_key": "s"}
    many = Place("s3", {"bucket": "many", "s3_endpoint": s3.endpoint, **secrets}, print)
    s3.faults({"action": "hold", "op": "list", "skip": pages, "count": -1})
    found = files(api, many, limit=1000, regex_filter=".*5.jpg")
    assert keys(found)[shown:] == ["... storage scan timeout reached ..."]
    assert found[-1] == {**NONE, "key": found[-1]["key"]}
    s3.faults()
    api.ctx.settings = replace(api.ctx.settings, preview_seconds=30.0)
    assert len(files(api, many, limit=1000, regex_filter=".*5.jpg")) == 150


def test_no_more_of_the_bucket_is_listed_than_is_shown(api: Api, s3: S3Server):
    s3.fill("many", 5000)
    secrets = {"aws_access_key_id": "AKIDFORTESTS", "aws_secret_access_key": "s"}
    many = Place("s3", {"bucket": "many", "s3_endpoint": s3.endpoint, **secrets}, print)
    s3.reset()
    assert len(files(api, many, limit=10)) == 11
    assert s3.stats()["ops"]["list"] == 1


def test_what_a_bucket_says_is_masked(api: Api, s3: S3Server):
    fields = {"bucket": "pictures", "s3_endpoint": s3.endpoint, "aws_access_key_id": "AKIDCANARY0001"}
    place = Place("s3", {**fields, "aws_secret_access_key": "canary/secret+0002"}, print)
    fault = {"action": "status", "op": "list", "count": -1, "status": 403, "code": "AccessDenied"}
    s3.faults({**fault, "message": "no canary/secret+0002 for AKIDCANARY0001"})
    said = str(files(api, place, 400))
    assert "canary" not in said.lower()
