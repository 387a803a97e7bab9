"""Dataset storages over HTTP: a life, on a server of each kind, and who may know of them."""

from pathlib import Path

import pytest

from functions import sweep
from infra.bench.s3_process import S3Server
from shared.model.providers import PROVIDERS
from shared.services.storages import registration
from tests.api.buckets import Place, gcs_process, place, settings
from tests.api.client import Api, base
from tests.api.datasets import BASE, KEYS, dataset, keys, sync, synced
from tests.emulators_buckets import azure_emulator, redis_emulator

__all__ = ["azure_emulator", "gcs_process", "place", "redis_emulator", "settings"]


def test_a_life(api: Api, s3: S3Server):
    made = dataset(api, s3, title="All pictures")
    assert "project" not in made
    assert (made["title"], made["status"], made["meta"]) == ("All pictures", "initialized", {})
    assert (made["recursive_scan"], made["image_sizes"], made["glob_filter"]) == (True, False, None)
    path = f"{BASE}/{made['id']}"
    assert api.get(f"{path}/records") == {"records": [], "next": None}
    done = sync(api, path)
    assert (done["status"], done["last_sync_count"]) == ("completed", 12)
    assert {name: done["meta"][name] for name in done["meta"] if name[:4] in {"obje", "reco", "task"}} == {
        "records_updated": 0,
        "objects_listed": 12,
        "objects_imported": 12,
        "objects_excluded": 0,
        "objects_failed": 0,
        "objects_gone": 0,
    }
    assert api.count("tasks") == 0
    s3.put("pictures", "img/00000003.jpg", b"another")
    s3.put("pictures", "new.txt", b"new")
    again = sync(api, path)
    assert (again["last_sync_count"], again["meta"]["records_updated"]) == (1, 1)
    assert api.get("/api/storages/dataset") == api.get(BASE) == [again]
    api.call("DELETE", path, 204)
    api.get(path, 404)
    api.get(f"{path}/records", 404)
    assert sweep.handle(api.ctx, {}, b"") == 200
    assert [api.count(name) for name in ("gates", "chunks", "ledgers")] == [0, 0, 0]


def test_a_record_and_its_id(api: Api, s3: S3Server):
    s3.put("pictures", "a b/ü?#.PNG", b"12345")
    path = synced(api, s3, prefix="a b")
    (record,) = api.get(f"{path}/records")["records"]
    assert list(record) == ["id", "key", "uri", "size", "version", "content_type", "last_modified", "width", "height"]
    assert 0 < record["id"] < 2**53
    assert record["last_modified"].endswith("Z")
    assert {
        "key": "a b/ü?#.PNG",
        "uri": "s3://pictures/a b/ü?#.PNG",
        "size": 5,
        "content_type": "image/png",
        "width": None,
        "height": None,
    }.items() <= record.items()
    assert api.get(f"{path}/records/{record['id']}") == record
    for unknown in ("1", "0", "x", "9" * 30):
        api.get(f"{path}/records/{unknown}", 404)
    s3.put("pictures", "a b/ü?#.PNG", b"another")
    api.call("PATCH", path, json={"title": "Another", "prefix": None})
    sync(api, path)
    again = api.get(f"{path}/records/{record['id']}")
    assert (again["size"], again["version"] == record["version"]) == (7, False)
    s3.fill("second", 1)
    api.call("PATCH", path, json={"bucket": "second", **KEYS})
    assert api.get(f"{path}/records")["records"] == []
    api.get(f"{path}/records/{record['id']}", 404)


def test_what_is_gone_is_no_record(api: Api, s3: S3Server):
    path = synced(api, s3)
    s3.delete("pictures", "img/00000000.jpg")
    done = sync(api, path)
    assert (done["status"], done["last_sync_count"], done["meta"]["objects_gone"]) == ("completed", 0, 1)
    assert len(keys(api, path)) == 11
    api.call("PATCH", path, json={"glob_filter": "img/*[0-4].jpg"})
    done = sync(api, path)
    assert (done["meta"]["objects_gone"], done["meta"]["objects_excluded"]) == (0, 7)
    assert keys(api, path) == [f"img/{n:08d}.jpg" for n in range(1, 5)]


class TestPlaces:
    """What datasets share with import storages, on a server of each kind."""

    def test_records_of_each_kind(self, api: Api, place: Place):
        if "dataset" not in PROVIDERS[place.type].directions:
            api.post(base(place.type, "dataset"), place.fields, 404)
            return
        for key in ("a.png", "in/b.json", "in/deep/c"):
            place.put(key, b"12345")
        path = base(place.type, "dataset")
        assert api.post(f"{path}/validate", place.fields) is None
        files = api.post(f"{path}/files", {**place.fields, "glob_filter": "**/*.*"})["files"]
        assert [it["key"] for it in files] == ["a.png", "in/b.json"]
        made = api.post(path, {**place.fields, "image_sizes": True}, 201)
        one = f"{path}/{made['id']}"
        done = sync(api, one)
        assert (done["status"], done["last_sync_count"]) == ("completed", 3)
        records = api.get(f"{one}/records")["records"]
        assert [record["key"] for record in records] == ["a.png", "in/b.json", "in/deep/c"]
        assert [record["content_type"] for record in records] == [
            "image/png",
            "application/json",
            "application/octet-stream",
        ]
        assert all(record["uri"].endswith(record["key"]) for record in records)
        assert all(record["size"] == 5 and record["last_modified"] for record in records)
        assert api.get(f"{one}/records/{records[1]['id']}") == records[1]
        assert sync(api, one)["last_sync_count"] == 0
        nowhere = {PROVIDERS[place.type].bucket or "path": "/nowhere" if place.type == "localfiles" else "nowhere"}
        secrets = {name: place.fields[name] for name in PROVIDERS[place.type].secrets if name in place.fields}
        assert list(api.call("PATCH", one, 400, json={**nowhere, **secrets})["validation_errors"]) == [
            "non_field_errors"
        ]

    def test_names_that_are_no_text_are_told(self, api: Api):
        folder = Path(api.folder())
        (folder / "good.txt").write_bytes(b"1")
        with open(bytes(folder) + b"/bad\xff.txt", "wb"):
            pass
        made = api.post(base("localfiles", "dataset"), {"path": str(folder)}, 201)
        one = f"{base('localfiles', 'dataset')}/{made['id']}"
        done = sync(api, one)
        assert (done["status"], done["meta"]["objects_failed"]) == ("completed_with_errors", 1)
        assert done["traceback"].startswith("1 objects can't be records.\nbad")
        assert keys(api, one) == ["good.txt"]
        assert api.get(f"{one}/records/count")["count"] == 1


class TestOfNoProject:
    def test_neither_direction_knows_it(self, api: Api, s3: S3Server):
        project = api.project()
        made, source = dataset(api, s3, project=project), api.s3(project, s3.endpoint)
        assert api.get(f"/api/storages?project={project}") == [source]
        assert api.get("/api/storages/s3", params={"project": project}) == [source]
        assert api.get("/api/storages?project=0") == []
        assert api.get("/api/storages/dataset") == [made]
        for path in ("/api/storages/s3", "/api/storages/export/s3"):
            api.get(f"{path}/{made['id']}", 404)
        assert (
            api.get(f"{BASE}/{source['id']}", 404)["detail"] == f"No AWS S3 dataset storage has the id {source['id']}."
        )
        api.post(f"{BASE}/validate", {"id": source["id"]}, 404)
        api.call("DELETE", f"/api/projects/{project}", 204)
        assert api.get("/api/storages/dataset") == [made]

    def test_members_have_no_part_in_it(self, api: Api, s3: S3Server):
        path = synced(api, s3)
        member = api.as_user(api.project())
        for way in (BASE, "/api/storages/dataset", path, f"{path}/records", f"{BASE}/99", f"{path}/records/1"):
            assert "only an admin" in member.get(way, 403)["detail"]
        dataset(member, s3, 403)
        assert api.as_user(role="admin").get(path)["id"] == int(path.rpartition("/")[2])

    def test_made_once_however_often_it_is_asked_for(self, api: Api, s3: S3Server):
        body, key = {"bucket": "pictures", "s3_endpoint": s3.endpoint, **KEYS}, {"Idempotency-Key": "k"}
        made = [api.post(BASE, body, 201, headers=key)["id"] for _ in range(2)]
        assert made == [made[0]] * 2
        assert len(api.get(BASE)) == 1

    def test_not_too_many(self, api: Api, s3: S3Server, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(registration, "MAX_STORAGES", 1)
        dataset(api, s3)
        assert list(dataset(api, s3, 400)["validation_errors"]) == ["non_field_errors"]

    def test_types_and_routes_that_are_not_there(self, api: Api):
        assert "there are s3, gcs" in api.get("/api/storages/dataset/redis", 404)["detail"]
        assert "redis" not in api.get("/api/storages/dataset/redis/1/records", 404)["detail"].partition(";")[2]
        assert api.call("PUT", BASE, 405)["status_code"] == 405
        api.get(f"{BASE}/1/nonsense", 404)
