"""Files of rows in datasets over HTTP: columns, parts, filters, and files that can't be read."""

import io
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from infra.bench.s3_process import S3Server
from shared.model.providers import PROVIDERS
from shared.model.task import task_id
from tests.api.buckets import Place, gcs_process, place, settings
from tests.api.client import Api, base
from tests.api.datasets import sync, synced
from tests.emulators_buckets import azure_emulator, redis_emulator

__all__ = ["azure_emulator", "gcs_process", "place", "redis_emulator", "settings"]

ROWS = [
    {
        "n": n,
        "label": ["cat", "dog", "cow"][n % 3],
        "score": n / 1000,
        "ok": n % 2 == 0,
        "at": f"2026-01-{n % 28 + 1:02d}T00:00:00Z",
        "box": {"width": n % 7},
        "tags": [str(n % 5)],
    }
    for n in range(20_000)
]
"""What all forms of the file hold."""


def jsonl(rows: list[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def array(rows: list[dict[str, Any]]) -> bytes:
    return json.dumps(rows).encode()


def parquet(rows: list[dict[str, Any]]) -> bytes:
    file = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), file, row_group_size=3000)
    return file.getvalue()


FORMS: dict[str, Callable[[list[dict[str, Any]]], bytes]] = {"jsonl": jsonl, "json": array, "parquet": parquet}


def path_of(api: Api, s3: S3Server, key: str, body: bytes) -> str:
    """The path of the one record of a dataset."""
    s3.put("rows", key, body)
    path = synced(api, s3, bucket="rows")
    (record,) = api.get(f"{path}/records")["records"]
    return f"{path}/records/{record['id']}"


def all_rows(api: Api, path: str, **query: Any) -> tuple[list[Any], list[Any]]:
    """Rows of all parts, and the parts."""
    parts = []
    after: dict[str, str] = {}
    while True:
        parts.append(api.get(f"{path}/rows", params={**query, **after}))
        assert parts[-1]["next"] != after.get("after", ""), "it goes on"
        if parts[-1]["next"] is None:
            return [row for part in parts for row in part["rows"]], parts
        after = {"after": parts[-1]["next"]}


@pytest.fixture(params=FORMS)
def path(request: pytest.FixtureRequest, api: Api, s3: S3Server) -> str:
    """A file of 20,000 rows, in each form."""
    return path_of(api, s3, f"rows.{request.param}", FORMS[request.param](ROWS))


class TestRows:
    def test_parts_are_the_file(self, api: Api, path: str):
        found, parts = all_rows(api, path, page_size=1000)
        assert [row["data"] for row in found] == [{**row, "at": row["at"]} for row in ROWS], (
            "as one reading of all would find them"
        )
        assert [row["row"] for row in found] == list(range(20_000))
        assert len(parts) == 20, "a part that is full knows whether it is the last"
        assert sum(part["looked_at"] for part in parts) == 20_000, "no row is looked at twice"
        assert len({row["id"] for row in found}) == 20_000
        number = int(path.rpartition("/")[2])
        assert {row["record"] for row in found} == {number}

    def test_ids_are_those_that_tasks_would_have(self, api: Api, path: str):
        gate = api.ctx.gates.get(int(path.split("/")[5]))
        assert gate is not None
        key = api.get(path)["key"]
        rows = api.get(f"{path}/rows", params={"page_size": 3})["rows"]
        assert [row["id"] for row in rows] == [task_id(gate.value.map, key, n) for n in range(3)]

    def test_columns(self, api: Api, path: str):
        told = api.get(f"{path}/columns")
        assert {column["name"]: column["type"] for column in told["columns"]} == {
            "n": "integer",
            "label": "string",
            "score": "number",
            "ok": "boolean",
            "at": "string" if path_is_parquet(api, path) else "timestamp",
            "box": "object",
            "box.width": "integer",
            "tags": "list",
        }
        assert told["errors"] == []
        if path_is_parquet(api, path):
            assert (told["complete"], told["rows"], told["sampled"]) == (True, 20_000, 0)
            assert {column["nulls"] for column in told["columns"]} == {None}
        else:
            assert (told["complete"], told["rows"], told["sampled"]) == (False, None, 1000)
            assert {column["nulls"] for column in told["columns"]} == {0.0}

    @pytest.mark.parametrize(
        ("where", "wanted"),
        [
            ({"label": "cat", "score": {">=": 19.5}}, lambda row: row["label"] == "cat" and row["score"] >= 19.5),
            ({"box.width": {"in": [3, 5]}, "ok": True}, lambda row: row["box"]["width"] in (3, 5) and row["ok"]),
            ({"tags": {"contains": "2"}, "n": {"<": 400}}, lambda row: row["tags"] == ["2"] and row["n"] < 400),
            ({"n": {"is_null": True}}, lambda _: False),
        ],
    )
    def test_filters(self, api: Api, path: str, where: Any, wanted: Any):
        found, parts = all_rows(api, path, page_size=500, where=json.dumps(where))
        assert [row["row"] for row in found] == [row["n"] for row in ROWS if wanted(row)]
        assert all(len(part["rows"]) <= 500 for part in parts)
        several = [json.dumps({name: test}) for name, test in where.items()]
        assert api.get(f"{path}/rows", params={"page_size": 500, "where": several})["rows"] == parts[0]["rows"]

    def test_columns_are_picked(self, api: Api, path: str):
        found, _ = all_rows(api, path, page_size=1000, columns="label, box.width", where='{"n": {"<": 3}}')
        assert [row["data"] for row in found] == [
            {"label": "cat", "box.width": 0},
            {"label": "dog", "box.width": 1},
            {"label": "cow", "box.width": 2},
        ]

    def test_what_is_not_there_is_named(self, api: Api, path: str):
        for query, field, text in (
            ({"where": '{"lable": "cat"}'}, "where", "lable: no such column"),
            ({"where": '{"n": "1"}'}, "where", "n: is of type integer"),
            ({"where": "{"}, "where", "Not JSON"),
            ({"columns": "n,x"}, "columns", "x: no such column"),
            ({"columns": ",".join(f"c{n}" for n in range(101))}, "columns", "no more than 100"),
            ({"after": "!"}, "after", "Not a cursor"),
            ({"after": "W10"}, "after", "Not a cursor"),
        ):
            told = api.get(f"{path}/rows", 400, params=query)["validation_errors"]
            assert list(told) == [field]
            assert text in told[field][0]


def path_is_parquet(api: Api, path: str) -> bool:
    return bool(api.get(path)["key"].endswith(".parquet"))


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_times_are_compared_as_times_on_every_page(api: Api, s3: S3Server, form: str):
    days = [datetime(2026, 1, n % 28 + 1, tzinfo=UTC) for n in range(100)]
    body = jsonl([{"at": day.isoformat()} for day in days]) if form == "jsonl" else parquet([{"at": it} for it in days])
    path = path_of(api, s3, f"a.{form}", body)
    where = '{"at": {">=": "2026-01-20T01:00:00+01:00"}}'
    found, parts = all_rows(api, path, page_size=7, where=where)
    assert [row["row"] for row in found] == [n for n, day in enumerate(days) if day.day >= 20]
    assert len(parts) > 2
    other = {"after": parts[0]["next"], "where": '{"at": "soon"}'}
    assert list(api.get(f"{path}/rows", 400, params=other)["validation_errors"]) == ["where"]


def test_on_a_server_of_each_kind(api: Api, place: Place):
    if "dataset" not in PROVIDERS[place.type].directions:
        api.post(base(place.type, "dataset"), place.fields, 404)
        return
    place.put("a.jsonl", jsonl(ROWS[:30]))
    place.put("b.parquet", parquet(ROWS[:30]))
    made = api.post(base(place.type, "dataset"), place.fields, 201)
    path = f"{base(place.type, 'dataset')}/{made['id']}"
    sync(api, path)
    for record in api.get(f"{path}/records")["records"]:
        one = f"{path}/records/{record['id']}"
        found, _ = all_rows(api, one, page_size=4, where='{"label": "dog"}')
        assert [row["data"] for row in found] == [row for row in ROWS[:30] if row["label"] == "dog"]
        assert len(api.get(f"{one}/columns")["columns"]) == 8


class TestLimits:
    def test_bytes_run_out_and_next_says_where(self, api: Api, s3: S3Server):
        """Each request reads some blocks; all of them together every row, once, whatever is found."""
        path = path_of(api, s3, "a.jsonl", jsonl([{**row, "text": "x" * 500} for row in ROWS]))
        api.ctx.settings = replace(api.ctx.settings, rows_bytes=2 * 1024 * 1024)
        found, parts = all_rows(api, path, page_size=1000, where='{"n": {"in": [5, 19999]}}')
        assert [row["row"] for row in found] == [5, 19_999]
        assert len(parts) > 1
        assert sum(part["looked_at"] for part in parts) == 20_000

    def test_time_runs_out(self, api: Api, s3: S3Server, monkeypatch: pytest.MonkeyPatch):
        path = path_of(api, s3, "a.jsonl", b"x\n" * 20 + jsonl(ROWS[:50]))
        ticks = iter(range(1_000_000_000, 2_000_000_000))
        monkeypatch.setattr(api.ctx, "clock", lambda: float(next(ticks)))
        found, parts = all_rows(api, path)
        assert [row["data"] for row in found] == ROWS[:50]
        assert len(parts) > 3
        assert parts[0]["rows"] == [], "bad rows take their time too"
        assert sum(part["looked_at"] for part in parts) == 70

    def test_answers_are_bounded(self, api: Api, s3: S3Server):
        path = path_of(api, s3, "a.jsonl", jsonl([{"text": "x" * 1000, "n": n} for n in range(50)]))
        api.ctx.settings = replace(api.ctx.settings, rows_answer_bytes=10_000)
        found, parts = all_rows(api, path)
        assert [row["row"] for row in found] == list(range(50))
        assert {len(part["rows"]) for part in parts} == {10}

    def test_a_row_out_of_reach_says_what_to_raise(self, api: Api, s3: S3Server):
        body = jsonl([{"n": 1}, {"n": 2, "text": "x" * 5_000_000}, {"n": 3}])
        path = path_of(api, s3, "a.jsonl", body)
        told = api.get(f"{path}/rows")
        assert [row["data"]["n"] for row in told["rows"]] == [1, 3]
        assert "the limit is" in told["errors"][0]["reason"]
        api.ctx.settings = replace(api.ctx.settings, rows_bytes=3 * 1024 * 1024)
        part = api.get(f"{path}/rows")
        assert [row["data"]["n"] for row in part["rows"]] == [1]
        assert out_of_reach(api, path, after=part["next"]).startswith("Row 1 can't be reached")

    @pytest.mark.parametrize("form", ["json", "parquet"])
    def test_nor_the_first(self, api: Api, s3: S3Server, form: str):
        rows = [{"text": Random(n).randbytes(1_500_000).hex()} for n in range(2)]
        path = path_of(api, s3, f"a.{form}", FORMS[form](rows))
        api.ctx.settings = replace(api.ctx.settings, rows_bytes=1)
        assert out_of_reach(api, path).startswith("Row 0 can't be reached")
        if form == "json":
            out_of_reach(api, path, way="columns")

    def test_a_decoder_that_takes_too_long(self, api: Api, s3: S3Server, monkeypatch: pytest.MonkeyPatch):
        path = path_of(api, s3, "a.parquet", parquet(ROWS[:50]))
        patience = property(lambda _: 1e-9)
        monkeypatch.setattr("shared.services.datasets.rows._Bounded.patience", patience)
        out_of_reach(api, path)


def out_of_reach(api: Api, path: str, way: str = "rows", **query: Any) -> str:
    """What is said of rows that can't be had within the limits."""
    told = api.get(f"{path}/{way}", 400, params=query)["validation_errors"]["non_field_errors"][0]
    assert "SLUICE_ROWS_BYTES" in told
    return str(told)


class TestTrouble:
    def test_a_changed_object_is_told(self, api: Api, s3: S3Server):
        path = path_of(api, s3, "a.jsonl", jsonl(ROWS[:20]))
        part = api.get(f"{path}/rows", params={"page_size": 5})
        s3.put("rows", "a.jsonl", jsonl(ROWS[:30]))
        for way in ("rows", "columns"):
            told = api.get(f"{path}/{way}", 400)["validation_errors"]["non_field_errors"][0]
            assert "sync the dataset" in told
        sync(api, path.partition("/records/")[0])
        assert len(api.get(f"{path}/rows")["rows"]) == 30
        told = api.get(f"{path}/rows", 400, params={"after": part["next"]})["validation_errors"]
        assert list(told) == ["after"]
        s3.delete("rows", "a.jsonl")
        assert "sync the dataset" in api.get(f"{path}/rows", 400)["validation_errors"]["non_field_errors"][0]
        sync(api, path.partition("/records/")[0])
        api.get(f"{path}/rows", 404)
        api.get(f"{path}/rows", 404, params={"after": part["next"]})

    def test_bad_rows_are_told_with_their_line(self, api: Api, s3: S3Server):
        body = b'{"n": 1}\n\n{"n": \n[1]\n{"n": 2}\n' + b"x\n" * 30
        path = path_of(api, s3, "a.jsonl", body)
        told = api.get(f"{path}/rows")
        assert [(row["row"], row["data"]["n"]) for row in told["rows"]] == [(0, 1), (3, 2)]
        assert (told["looked_at"], told["unreadable"], len(told["errors"]), told["next"]) == (34, 32, 20, None)
        assert [(error["row"], error["line"]) for error in told["errors"][:2]] == [(1, 3), (2, 4)]
        assert "must be an object" in told["errors"][1]["reason"]
        about = api.get(f"{path}/columns")
        assert (about["rows"], about["complete"], about["sampled"]) == (34, True, 2)
        assert about["errors"] == told["errors"]

    @pytest.mark.parametrize(
        ("key", "body", "reason"),
        [
            ("a.json", b'[{"n": 1}, {"n": 2]', "byte 18"),
            ("a.json", b"\x00\x01", "no JSON, JSONL or Parquet"),
            ("a.jsonl", b"", "the file is empty"),
            ("a.parquet", parquet(ROWS[:50])[:-9], "end is missing or damaged"),
            ("a.parquet", b"PAR1" + b"\xff" * 100 + b"\x0a\0\0\0PAR1", "can't be read"),
        ],
    )
    def test_what_cannot_be_read_says_why(self, api: Api, s3: S3Server, key: str, body: bytes, reason: str):
        path = path_of(api, s3, key, body)
        for query in ({}, {"where": '{"n": 1}'}):
            told = api.get(f"{path}/rows", params=query)
            assert reason in told["errors"][-1]["reason"]
            assert "use_blob_urls" not in told["errors"][-1]["reason"]
            assert told["next"] is None
        about = api.get(f"{path}/columns")
        assert reason in about["errors"][-1]["reason"]
        assert (about["complete"], about["rows"]) == (False, None)

    def test_other_files_are_no_files_of_rows(self, api: Api, s3: S3Server):
        path = path_of(api, s3, "a.jpg", b"{}")
        for way in ("rows", "columns"):
            assert "no file of rows" in api.get(f"{path}/{way}", 400)["validation_errors"]["non_field_errors"][0]

    def test_one_object_is_one_row_and_data_is_taken_out(self, api: Api, s3: S3Server):
        path = path_of(api, s3, "a.json", b'{"data": {"n": 9007199254740993}, "predictions": [{"result": []}]}')
        (row,) = api.get(f"{path}/rows")["rows"]
        assert (row["row"], row["data"]) == (None, {"n": 9007199254740993})
        about = api.get(f"{path}/columns")
        assert ([column["name"] for column in about["columns"]], about["rows"]) == (["n"], 1)

    def test_parquet_with_data_as_json(self, api: Api, s3: S3Server):
        """Its columns are those of what is in `data`: rows tell them, the footer how many there are."""
        rows = [{"data": json.dumps({"text": str(n)}), "meta": "{}"} for n in range(10)]
        path = path_of(api, s3, "a.parquet", parquet(rows))
        about = api.get(f"{path}/columns")
        assert [(column["name"], column["type"]) for column in about["columns"]] == [("text", "string")]
        assert (about["rows"], about["complete"]) == (10, True)
        assert [row["row"] for row in api.get(f"{path}/rows", params={"where": '{"text": "7"}'})["rows"]] == [7]
