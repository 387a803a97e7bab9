"""A fresh storage of each type and direction: every key in its order, every default, no secret."""

from typing import Any

import pytest

from shared.model.fields import DIRECTIONS
from shared.model.providers import PROVIDERS
from tests.api.buckets import Place, gcs_process, place, settings
from tests.api.client import Api, base, of_project, words
from tests.emulators_buckets import azure_emulator, redis_emulator

__all__ = ["azure_emulator", "gcs_process", "place", "redis_emulator", "settings"]

INFO = "last_sync last_sync_count last_sync_job status traceback meta title description created_at"
KEYS = {
    ("s3", "import"): f"id type synchronizable presign {INFO} bucket prefix regex_filter use_blob_urls "
    "aws_sse_kms_key_id region_name s3_endpoint presign_ttl recursive_scan project s3_public_endpoint glob_filter "
    "sidecar on_changed on_deleted auto_sync sync_interval",
    ("s3", "export"): f"id type synchronizable {INFO} can_delete_objects bucket prefix regex_filter use_blob_urls "
    "aws_sse_kms_key_id region_name s3_endpoint project export_format key_template manifest aws_sse sync_interval",
    ("s3", "dataset"): f"id type synchronizable {INFO} bucket prefix regex_filter region_name s3_endpoint "
    "recursive_scan glob_filter image_sizes auto_sync sync_interval",
    ("gcs", "import"): "id type synchronizable presign bucket prefix regex_filter use_blob_urls google_project_id "
    f"{INFO} presign_ttl recursive_scan project glob_filter sidecar on_changed on_deleted auto_sync sync_interval",
    ("gcs", "export"): "id type synchronizable bucket prefix regex_filter use_blob_urls google_project_id "
    f"{INFO} can_delete_objects project export_format key_template manifest google_kms_key_name sync_interval",
    ("gcs", "dataset"): f"id type synchronizable bucket prefix regex_filter google_project_id {INFO} recursive_scan "
    "glob_filter image_sizes auto_sync sync_interval",
    ("azure", "import"): "id type synchronizable presign container prefix regex_filter use_blob_urls azure_endpoint "
    f"{INFO} presign_ttl recursive_scan project glob_filter sidecar on_changed on_deleted auto_sync sync_interval",
    ("azure", "export"): "id type synchronizable container prefix regex_filter use_blob_urls azure_endpoint "
    f"{INFO} can_delete_objects project export_format key_template manifest sync_interval",
    ("azure", "dataset"): f"id type synchronizable container prefix regex_filter azure_endpoint {INFO} recursive_scan "
    "glob_filter image_sizes auto_sync sync_interval",
    ("redis", "import"): f"id type synchronizable path host port regex_filter use_blob_urls {INFO} "
    "db project glob_filter sync_interval",
    ("redis", "export"): f"id type synchronizable path host port regex_filter use_blob_urls {INFO} "
    "can_delete_objects db project export_format key_template manifest sync_interval",
    ("localfiles", "import"): f"id type synchronizable path regex_filter use_blob_urls {INFO} "
    "recursive_scan project glob_filter sidecar on_changed on_deleted sync_interval",
    (
        "localfiles",
        "dataset",
    ): f"id type synchronizable path regex_filter {INFO} recursive_scan glob_filter image_sizes sync_interval",
    ("localfiles", "export"): f"id type synchronizable path regex_filter use_blob_urls {INFO} can_delete_objects "
    "project export_format key_template manifest sync_interval",
}
DEFAULTS: dict[str, Any] = {
    "synchronizable": True,
    "presign": True,
    "presign_ttl": 1,
    "recursive_scan": False,
    "use_blob_urls": False,
    "can_delete_objects": None,
    "export_format": "annotation",
    "manifest": False,
    "sidecar": "none",
    "on_changed": "update_unannotated",
    "on_deleted": "keep",
    "sync_interval": 0,
    "auto_sync": False,
    "aws_sse": False,
    "last_sync": None,
    "last_sync_count": None,
    "traceback": None,
}
"""What is set of a new storage; all else is null."""
OTHERWISE: dict[str, dict[str, Any]] = {"dataset": {"recursive_scan": True, "image_sizes": False}}


def has_none(place: Place, direction: str) -> bool:
    """Whether there are no such storages, which is what all routes say."""
    return direction not in PROVIDERS[place.type].directions


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_a_fresh_storage(api: Api, place: Place, direction: str):
    path = base(place.type, direction)
    if has_none(place, direction):
        api.post(path, place.fields, 404)
        return
    whose = of_project(direction, api.project())
    made = api.post(path, {**whose, **place.fields}, 201)

    assert list(made) == words(KEYS[place.type, direction])
    assert {"id": 1, "type": place.type, **whose}.items() <= made.items()
    state = {"status": "initialized", "last_sync_job": None, "meta": {}}
    if direction == "export":  # which begins at once
        state = {"status": "queued", "last_sync_job": made["last_sync_job"], "meta": made["meta"]}
        assert set(made["meta"]) == {"attempts", "time_queued"}
        assert made["meta"]["attempts"] == 1
    known = {**DEFAULTS, **OTHERWISE.get(direction, {}), **place.fields, **state}
    rest = {name: value for name, value in made.items() if name not in {"id", "type", "project", "created_at"}}
    assert rest == {name: known.get(name) for name in rest}
    assert made["created_at"].endswith("Z")
    assert api.get(f"{path}/{made['id']}") == made
    assert api.get(f"{path}/", params=whose) == [made]
    assert api.get(base("", direction), params=whose) == [made]
    assert not {field.name for field in PROVIDERS[place.type].fields if field.secret} & set(made)


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_every_field_can_be_set_edited_and_reset(api: Api, place: Place, direction: str):
    """PATCH keeps what is not given, PUT resets it; the type is in both answers."""
    path = base(place.type, direction)
    if has_none(place, direction):
        api.post(path, place.fields, 404)
        return
    whose = of_project(direction, api.project())
    if place.prefix:
        place.put("in/a.json", b"{}")
    own: dict[str, Any] = {"title": "T" * 256, "description": "D", "synchronizable": False, "regex_filter": ".*"}
    own |= {
        "import": {"use_blob_urls": True, "glob_filter": "**/*.{a,b}"},
        "export": {"can_delete_objects": True, "manifest": True},
        "dataset": {"image_sizes": True, "recursive_scan": False, "glob_filter": "**"},
    }[direction]
    if direction == "export":
        own |= {"export_format": "task", "key_template": "{year}/{task}.json"}
    if place.prefix:
        own[place.prefix] = "in"
    if direction == "import" and "presign" in KEYS[place.type, direction]:
        own |= {"presign": False, "presign_ttl": 32767, "recursive_scan": True, "auto_sync": True}
    body = {**whose, **place.fields, **own}
    made = api.post(path, body, 201)
    assert own.items() <= made.items()
    one = f"{path}/{made['id']}"
    assert api.call("PATCH", one, json={"title": None}) == {**made, "title": None}
    again = api.call("PUT", one, json={**whose, **place.fields})
    assert list(again) == list(made)
    assert {name: again[name] for name in own} == {
        name: {**DEFAULTS, **OTHERWISE.get(direction, {}), **place.fields}.get(name) for name in own
    }


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_state_is_read_only_and_bad_fields_are_named(api: Api, direction: str):
    path = base("localfiles", direction)
    state = {"status": "completed", "last_sync": "2020-01-01T00:00:00Z", "last_sync_count": 7, "traceback": "x"}
    state |= {"last_sync_job": "j", "meta": None, "id": 77, "type": "s3", "created_at": "2020-01-01T00:00:00Z"}
    made = api.post(path, {**state, "project": api.project(), "path": api.folder(), "synchronizable": False}, 201)
    fresh = {"status": "initialized", "last_sync_count": None, "meta": {}, "type": "localfiles"}
    assert fresh.items() <= made.items()
    assert api.call("PATCH", f"{path}/{made['id']}", json=state) == made
    for bad in ({"title": "x" * 257}, {"synchronizable": "perhaps"}, {"description": ["no text"]}):
        assert list(api.call("PATCH", f"{path}/{made['id']}", 400, json=bad)["validation_errors"]) == list(bad)


def test_types_are_the_same_five_for_both_and_four_for_datasets(api: Api):
    titles = ["AWS S3", "Google Cloud Storage", "Microsoft Azure", "Redis", "Local files"]
    names = ["s3", "gcs", "azure", "redis", "localfiles"]
    types = [{"name": name, "title": title} for name, title in zip(names, titles, strict=True)]
    assert api.get("/api/storages/types") == api.get("/api/storages/export/types/") == types
    assert api.get("/api/storages/dataset/types") == [one for one in types if one["name"] != "redis"]
