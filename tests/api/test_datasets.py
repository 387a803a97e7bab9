"""Dataset storages over HTTP: a life, and what is read of their records."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from functions import sweep
from infra.bench.s3_process import S3Server
from shared.model.providers import PROVIDERS
from shared.services.datasets import image_sizes
from shared.services.storages import registration
from tests.api.buckets import Place, gcs_process, place, settings
from tests.api.client import Api, base
from tests.emulators_buckets import azure_emulator, redis_emulator
from tests.unit.test_image_size import IMAGES

__all__ = ["azure_emulator", "gcs_process", "place", "redis_emulator", "settings"]

BASE = "/api/storages/dataset/s3"
KEYS = {"aws_access_key_id": "AKIDFORTESTS", "aws_secret_access_key": "a-secret-for-tests"}


def dataset(api: Api, s3: S3Server, status: int = 201, **fields: Any) -> Any:
    return api.post(BASE, {"bucket": "pictures", "s3_endpoint": s3.endpoint, **KEYS, **fields}, status)


def synced(api: Api, s3: S3Server, **fields: Any) -> str:
    """The path of a dataset that was synced."""
    path = f"{BASE}/{dataset(api, s3, **fields)['id']}"
    sync(api, path)
    return path


def sync(api: Api, path: str) -> Any:
    assert api.post(f"{path}/sync")["status"] == "queued"
    api.work()
    return api.get(path)


def keys(api: Api, path: str, **filters: Any) -> list[str]:
    return [record["key"] for record in api.get(f"{path}/records", params=filters)["records"]]


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


class TestPages:
    @pytest.fixture
    def path(self, api: Api, s3: S3Server) -> str:
        """250 records in chunks of five to ten."""
        api.ctx.settings = replace(api.ctx.settings, chunk_target=5)
        s3.fill("many", 250, prefix="x/")
        s3.put("many", "a.txt", b"")
        s3.put("many", "z.txt", b"")
        return synced(api, s3, bucket="many")

    def test_one_after_another(self, api: Api, path: str):
        for size in (1000, 252, 251, 100, 7):
            found: list[str] = []
            after = None
            while True:
                page = api.get(f"{path}/records", params={"page_size": size, **({"after": after} if after else {})})
                assert len(page["records"]) <= size
                found += [record["key"] for record in page["records"]]
                if (after := page["next"]) is None:
                    break
            assert found == ["a.txt", *(f"x/{n:08d}.jpg" for n in range(250)), "z.txt"]

    def test_a_prefix_reads_its_own_chunks_alone(self, api: Api, path: str, monkeypatch: pytest.MonkeyPatch):
        read: list[str] = []
        get_many = api.ctx.documents.get_many

        def counted(refs: Any) -> Any:
            read.extend(ref.id for ref in refs if ref.collection == "ledgers")
            return get_many(refs)

        monkeypatch.setattr(api.ctx.documents, "get_many", counted, raising=False)
        assert keys(api, path, prefix="x/0000010") == [f"x/{n:08d}.jpg" for n in range(100, 110)]
        assert 2 <= len(read) <= 4
        read.clear()
        assert keys(api, path, prefix="z") == ["z.txt"]
        assert keys(api, path, prefix="zz") == keys(api, path, prefix="A") == []
        assert len(read) <= 4
        read.clear()
        assert len(keys(api, path, page_size=3)) == 3
        assert len(read) <= 2, "it stops when it has enough"

    def test_time_runs_out_and_next_says_where(self, api: Api, path: str):
        """Each request looks at one chunk at least; all of them together at everything, once."""
        api.ctx.settings = replace(api.ctx.settings, records_seconds=0.0)
        counted, empty, after = 0, 0, None
        while True:
            query = {"glob": "**/*7.jpg", **({"after": after} if after else {})}
            part = api.get(f"{path}/records/count", params=query)
            page = api.get(f"{path}/records", params=query)
            assert len(page["records"]) == part["count"]
            counted, empty = counted + part["count"], empty + (part["count"] == 0)
            if (after := part["next"]) is None:
                break
        assert (counted, empty > 0) == (25, True)
        number = api.get(f"{path}/records", params={"prefix": "z"})["records"][0]["id"]
        told = api.get(f"{path}/records/{number}", 503)
        assert "SLUICE_RECORDS_SECONDS" in told["detail"]

    def test_chunks_that_are_cut_between_pages_lose_nothing(self, api: Api, path: str, s3: S3Server):
        first = api.get(f"{path}/records", params={"page_size": 60})
        s3.fill("many", 1000, prefix="x/", start=1000)
        s3.fill("many", 40, prefix="w/")
        sync(api, path)
        rest = api.get(f"{path}/records", params={"page_size": 1000, "after": first["next"]})
        last = api.get(f"{path}/records", params={"page_size": 1000, "after": rest["next"]})
        found = [record["key"] for part in (first, rest, last) for record in part["records"]]
        old = [f"x/{n:08d}.jpg" for n in (*range(250), *range(1000, 2000))]
        assert found == ["a.txt", *old, "z.txt"]

    def test_a_chunk_that_is_cut_while_it_is_read(self, api: Api, path: str, s3: S3Server, monkeypatch: Any):
        """Between the look at the chunks and the read of their ledgers, other chunks take a part of these."""
        s3.fill("many", 40, prefix="x/00000003-")
        get_many, cut = api.ctx.documents.get_many, []

        def late(refs: Any) -> Any:
            if any(ref.collection == "ledgers" for ref in refs) and not cut:
                cut.append(True)
                sync(api, path)
            return get_many(refs)

        monkeypatch.setattr(api.ctx.documents, "get_many", late, raising=False)
        found = keys(api, path, page_size=1000)
        monkeypatch.undo()
        assert cut
        assert found == sorted(found)
        assert found == keys(api, path, page_size=1000)
        assert len(found) == 292

    def test_counts(self, api: Api, path: str):
        def counted(**filters: Any) -> int:
            told = api.get(f"{path}/records/count", params=filters)
            assert told["next"] is None
            return int(told["count"])

        assert counted() == 252
        assert counted(prefix="x/") == counted(content_type="image/*") == 250
        assert counted(glob="*.txt") == counted(max_size=0) == 2
        assert counted(min_size=1, prefix="z") == 0
        assert counted(modified_after="2000-01-01T00:00:00Z") == 252
        assert counted(modified_before="2000-01-01T00:00:00Z") == 0

    @pytest.mark.parametrize("field", ["min_size", "modified_after", "content_type", "glob", "max_height"])
    def test_bad_filters_are_named(self, api: Api, path: str, field: str):
        for way in ("records", "records/count"):
            for query in ({field: "["}, {"after": "!"}):
                assert list(api.get(f"{path}/{way}", 400, params=query)["validation_errors"]) == list(query)


class TestImageSizes:
    @pytest.fixture
    def path(self, api: Api, s3: S3Server) -> str:
        for name, (body, _) in IMAGES.items():
            s3.put("images", f"{name}.{name[:4].split(' ')[0].strip(',')}", body + b"\0" * 100_000)
        s3.put("images", "damaged.jpg", b"\xff\xd8\xff")
        s3.put("images", "empty.png", b"")
        s3.put("images", "text.txt", IMAGES["png"][0])
        return synced(api, s3, bucket="images", image_sizes=True)

    def test_sizes_are_read_once(self, api: Api, s3: S3Server, path: str):
        records = {record["key"]: record for record in api.get(f"{path}/records")["records"]}
        sizes = {key.rpartition(".")[0]: (it["width"], it["height"]) for key, it in records.items()}
        untold = (None, None)
        assert sizes == {name: tuple(size) for name, (_, size) in IMAGES.items()} | {
            "damaged": untold,
            "empty": untold,
            "text": untold,
        }
        assert api.get(path)["status"] == "completed"
        assert keys(api, path, min_width=6000) == ["jpeg of a camera.jpeg"]
        s3.reset()
        assert sync(api, path)["meta"]["records_updated"] == 0
        assert s3.stats()["ops"].get("get", 0) == 0
        s3.put("images", "empty.png", IMAGES["png"][0])
        assert sync(api, path)["meta"]["records_updated"] == 1
        assert s3.stats()["ops"]["get"] == 1
        assert api.get(f"{path}/records", params={"prefix": "empty"})["records"][0]["width"] == 640

    def test_turned_on_later_and_off_again(self, api: Api, s3: S3Server, path: str):
        """What is known of a version stays known."""
        before = api.get(f"{path}/records")
        api.call("PATCH", path, json={"image_sizes": False})
        sync(api, path)
        assert api.get(f"{path}/records") == before
        late = synced(api, s3, bucket="images")
        assert keys(api, late, min_width=1) == []
        api.call("PATCH", late, json={"image_sizes": True})
        sync(api, late)
        assert len(keys(api, late, min_width=1)) == len(IMAGES)

    def test_a_slice_that_ends_among_them_goes_on_there(self, api: Api, s3: S3Server, monkeypatch: pytest.MonkeyPatch):
        api.ctx.settings = replace(api.ctx.settings, slice_seconds=0.0, fetch_parallel=2)
        monkeypatch.setattr(image_sizes, "ROUNDS", 1)
        for number in range(9):
            s3.put("images", f"{number}.png", IMAGES["png"][0])
        s3.reset()
        path = synced(api, s3, bucket="images", image_sizes=True)
        assert len(keys(api, path, min_width=640)) == 9
        assert s3.stats()["ops"]["get"] == 9
        done = api.get(path)
        assert (done["status"], done["last_sync_count"], done["meta"]["objects_imported"]) == ("completed", 9, 9)


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
