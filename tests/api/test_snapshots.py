"""Snapshots of dataset storages over HTTP."""

import io
import json
from dataclasses import replace
from typing import Any

import pytest
from arro3.io import read_parquet

from infra.bench.s3_process import S3Server
from shared.services import sweeping
from tests.api.client import Api

BASE = "/api/storages/dataset/s3"
KEYS = {"aws_access_key_id": "AKIDFORTESTS", "aws_secret_access_key": "a-secret-for-tests"}


def dataset(api: Api, s3: S3Server, **fields: Any) -> str:
    """The path of a new dataset."""
    body = {"bucket": "pictures", "s3_endpoint": s3.endpoint, **KEYS, **fields}
    return f"{BASE}/{api.post(BASE, body, 201)['id']}"


def sync(api: Api, path: str) -> None:
    api.post(f"{path}/sync")
    api.work()
    assert api.get(path)["status"] == "completed"


def synced(api: Api, s3: S3Server, **fields: Any) -> str:
    """The path of a dataset that was synced."""
    path = dataset(api, s3, **fields)
    sync(api, path)
    return path


def taken(api: Api, path: str, **fields: Any) -> Any:
    return api.post(f"{path}/snapshots", fields, 201)


def changes(api: Api, path: str, one: Any, other: Any, **query: Any) -> list[tuple[str, str]]:
    found = api.get(f"{path}/snapshots/{one['id']}/diff", params={"to": other["id"], **query})
    assert found["next"] is None
    return [(change["key"], change["change"]) for change in found["changes"]]


@pytest.fixture
def path(api: Api, s3: S3Server) -> str:
    return synced(api, s3)


def test_a_life(api: Api, s3: S3Server, path: str):
    assert api.get(f"{path}/snapshots") == []
    first = taken(api, path, title=" First ")
    sizes = [record["size"] for record in api.get(f"{path}/records")["records"]]
    assert (first["title"], first["records"], first["bytes"]) == ("First", 12, sum(sizes))
    assert first["begun_at"] <= first["created_at"]
    again = taken(api, path)
    assert (again["title"], again["root"], again["records"]) == ("", first["root"], 12)
    assert api.get(f"{path}/snapshots") == [again, first]
    assert api.get(f"{path}/snapshots/{first['id']}") == first
    assert changes(api, path, first, again) == []

    s3.put("pictures", "img/00000003.jpg", b"another")
    s3.put("pictures", "new.txt", b"new")
    s3.delete("pictures", "rows/00000001.json")
    sync(api, path)
    last = taken(api, path)
    assert (last["root"] != first["root"], last["records"]) == (True, 12)
    wanted = [("img/00000003.jpg", "changed"), ("new.txt", "added"), ("rows/00000001.json", "removed")]
    assert changes(api, path, first, last) == wanted
    assert changes(api, path, last, first) == [
        (key, {"added": "removed", "removed": "added"}.get(change, change)) for key, change in wanted
    ]
    one = f"{path}/snapshots/{first['id']}"
    api.call("DELETE", one, 204)
    for name in ("", "/diff", "/manifest"):
        api.get(one + name, 404)
    assert api.get(f"{path}/snapshots") == [last, again]


def test_a_change_says_what_was_and_what_is(api: Api, s3: S3Server, path: str):
    first = taken(api, path)
    before = s3.put("pictures", "img/00000003.jpg", b"another")
    s3.put("pictures", "new.txt", b"new")
    sync(api, path)
    second = taken(api, path)
    changed, added = api.get(f"{path}/snapshots/{first['id']}/diff", params={"to": second["id"]})["changes"]
    assert (changed["before"]["size"], changed["after"]["size"]) != (7, 7)
    assert changed["after"]["size"] == 7
    assert changed["after"]["version"] == before != changed["before"]["version"]
    assert changed["after"]["content_type"] == "image/jpeg"
    assert (added["before"], added["after"]["size"], added["after"]["content_type"]) == (None, 3, "text/plain")


def test_a_diff_comes_in_parts(api: Api, s3: S3Server, path: str):
    first = taken(api, path)
    s3.put_many("pictures", {f"img/{number:08d}.jpg": b"other" for number in range(0, 20, 2)})
    sync(api, path)
    second = taken(api, path)
    whole = changes(api, path, first, second)
    assert len(whole) == 10
    found, after = [], ""
    while after is not None:
        query = {"to": second["id"], "page_size": 3, "after": after}
        part = api.get(f"{path}/snapshots/{first['id']}/diff", params=query)
        found += [(change["key"], change["change"]) for change in part["changes"]]
        assert len(part["changes"]) == (3 if part["next"] else 1)
        after = part["next"]
    assert found == whole


def test_a_manifest_has_all_records(api: Api, s3: S3Server, path: str):
    records = api.get(f"{path}/records")["records"]
    for record in records:
        del record["last_modified"]
    one = f"{path}/snapshots/{taken(api, path)['id']}/manifest"
    s3.delete("pictures", *(record["key"] for record in records))
    sync(api, path)
    lines = api.http.get(one)
    assert lines.headers["content-type"] == "application/x-ndjson"
    assert [json.loads(line) for line in lines.text.splitlines()] == records
    table = read_parquet(io.BytesIO(api.http.get(one, params={"format": "parquet"}).content)).read_all()
    assert table.schema.names == list(records[0])
    columns = [table.column(name).to_pylist() for name in table.schema.names]
    assert [dict(zip(table.schema.names, row, strict=True)) for row in zip(*columns, strict=True)] == records


def test_what_is_wrong_is_named(api: Api, s3: S3Server, path: str):
    other = synced(api, s3)
    mine, theirs = taken(api, path), taken(api, other)
    one = f"{path}/snapshots/{mine['id']}"
    for query in ({}, {"to": theirs["id"]}, {"to": "nonsense"}, {"to": 7}):
        assert list(api.get(f"{one}/diff", 400, params=query)["validation_errors"]) == ["to"]
    query = {"to": mine["id"], "after": "!"}
    assert list(api.get(f"{one}/diff", 400, params=query)["validation_errors"]) == ["after"]
    assert list(api.get(f"{one}/manifest", 400, params={"format": "csv"})["validation_errors"]) == ["format"]
    for title in (7, "x" * 257, "\0"):
        assert list(api.post(f"{path}/snapshots", {"title": title}, 400)["validation_errors"]) == ["title"]
    api.get(f"{path}/snapshots/{theirs['id']}", 404)
    api.call("DELETE", f"{path}/snapshots/{theirs['id']}", 404)
    assert api.get(f"{other}/snapshots") == [theirs]


def test_a_dataset_that_was_never_synced_has_an_empty_one(api: Api, s3: S3Server):
    path = dataset(api, s3)
    empty = taken(api, path)
    assert (empty["records"], empty["bytes"]) == (0, 0)
    sync(api, path)
    assert len(changes(api, path, empty, taken(api, path))) == 12
    assert api.http.get(f"{path}/snapshots/{empty['id']}/manifest").content == b""


def test_the_same_key_takes_one(api: Api, path: str):
    headers = {"Idempotency-Key": "monday"}
    first = api.post(f"{path}/snapshots", {"title": "Monday"}, 201, headers=headers)
    assert api.post(f"{path}/snapshots", {"title": "Monday"}, 201, headers=headers) == first
    assert api.get(f"{path}/snapshots") == [first]
    assert taken(api, path, title="Monday")["id"] != first["id"]
    api.call("DELETE", f"{path}/snapshots/{first['id']}", 204)
    answer = api.post(f"{path}/snapshots", {"title": "Monday"}, 400, headers=headers)
    assert list(answer["validation_errors"]) == ["Idempotency-Key"]


def test_there_are_no_more_than_so_many(api: Api, path: str):
    api.ctx.settings = replace(api.ctx.settings, max_snapshots=2)
    first = [taken(api, path), taken(api, path)][0]
    assert "2 snapshots" in str(api.post(f"{path}/snapshots", {}, 400)["validation_errors"])
    api.call("DELETE", f"{path}/snapshots/{first['id']}", 204)
    taken(api, path)


def test_what_was_deleted_is_removed(api: Api, s3: S3Server, path: str):
    """With the last snapshot that needs a piece, with the storage, and with the bucket."""
    other = synced(api, s3, prefix="img")
    kept = taken(api, other)
    first = taken(api, path)
    s3.put("pictures", "new.txt", b"new")
    sync(api, path)
    second = taken(api, path)
    assert [api.count(name) for name in ("snapshots", "manifests", "frozen")] == [3, 3, 3]
    api.call("DELETE", f"{path}/snapshots/{first['id']}", 204)
    sweeping.sweep(api.ctx)
    assert [api.count(name) for name in ("snapshots", "manifests", "frozen")] == [2, 2, 2]
    assert len(api.http.get(f"{path}/snapshots/{second['id']}/manifest").text.splitlines()) == 13
    taken(api, path)
    api.call("DELETE", path, 204)
    sweeping.sweep(api.ctx)
    names = ("snapshots", "manifests", "frozen", "freezes", "trash")
    assert [api.count(name) for name in names] == [1, 1, 1, 1, 0]
    assert len(api.http.get(f"{other}/snapshots/{kept['id']}/manifest").text.splitlines()) == 10
    s3.put("elsewhere", "img/one.jpg", b"one")
    api.call("PATCH", other, json={"bucket": "elsewhere"})
    assert api.get(f"{other}/snapshots") == []
    sweeping.sweep(api.ctx)
    assert [api.count(name) for name in names] == [0, 0, 0, 0, 0]
