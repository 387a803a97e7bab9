"""Records over HTTP: parts, filters, counts, also while chunks are cut; and sizes of images."""

from dataclasses import replace
from typing import Any

import pytest

from infra.bench.s3_process import S3Server
from shared.services.datasets import image_sizes
from tests.api.client import Api
from tests.api.datasets import keys, sync, synced
from tests.unit.test_image_size import IMAGES


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
        monkeypatch.setattr(image_sizes, "FIRST", 1)
        for number in range(9):
            s3.put("images", f"{number}.png", IMAGES["png"][0])
        s3.reset()
        path = synced(api, s3, bucket="images", image_sizes=True)
        assert len(keys(api, path, min_width=640)) == 9
        assert s3.stats()["ops"]["get"] == 9
        done = api.get(path)
        assert (done["status"], done["last_sync_count"], done["meta"]["objects_imported"]) == ("completed", 9, 9)

    def test_what_may_not_be_read_is_a_record_without_a_size(self, api: Api, s3: S3Server):
        """A few are tried at each sync, and all of them as soon as one can be read."""
        denied = {"action": "status", "op": "get", "status": 403, "code": "AccessDenied", "count": -1}
        for number in range(20):
            s3.put("images", f"{number:02d}.png", IMAGES["png"][0])
        s3.faults(denied)
        path = synced(api, s3, bucket="images", image_sizes=True)
        done = api.get(path)
        assert (done["status"], done["last_sync_count"], done["meta"]["objects_failed"]) == ("completed", 20, 0)
        assert (len(keys(api, path)), keys(api, path, min_width=1)) == (20, [])
        s3.reset()
        s3.faults(denied)
        sync(api, path)
        assert s3.stats()["ops"]["get"] == image_sizes.FIRST
        s3.faults()
        assert sync(api, path)["meta"]["records_updated"] == 0
        assert len(keys(api, path, min_width=640)) == 20

    def test_a_bucket_that_is_out_of_reach_fails_the_sync_after_some_tries(self, api: Api, s3: S3Server):
        """Nothing is gained from one try to the next, so they are counted; what was listed is there."""
        api.ctx.settings = replace(api.ctx.settings, max_tries=1, max_backoff=0.0)
        s3.put("images", "a.png", IMAGES["png"][0])
        s3.faults({"action": "status", "op": "get", "status": 503, "count": -1})
        path = synced(api, s3, bucket="images", image_sizes=True)
        assert api.get(path)["status"] == "failed"
        assert keys(api, path) == ["a.png"]
