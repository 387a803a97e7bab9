"""The document at /openapi.json says all: every field, every body by an example, every status that can be."""

from collections.abc import Iterator
from typing import Any

import httpx
import jsonschema_rs
import pytest

from functions.documentation import SECURITY, TAGS
from tests.api.documented import METHODS, components, document, faults, resolved

OPEN = {"GET /health", "GET /api/version", "POST /api/token/refresh"}
NO_STORE = {"GET /health", "GET /api/version"}
STREAMS = (["*/*"], ["text/plain"], ["application/x-ndjson", "application/vnd.apache.parquet"])
"""What media and files answer with, instead of JSON."""
OPERATIONS = {
    f"{method.upper()} {path}": operation
    for path, operations in document()["paths"].items()
    for method, operation in operations.items()
}


def schemas() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every schema and where it is: in components, bodies, answers and parameters."""
    for name, schema in document()["components"]["schemas"].items():
        yield from inside(name, schema)
    for name, operation in OPERATIONS.items():
        for part in (operation.get("requestBody"), *map(resolved, operation["responses"].values())):
            for media in (part or {}).get("content", {}).values():
                yield from inside(name, media["schema"])


def inside(where: str, schema: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    if not isinstance(schema, dict):
        return
    yield where, schema
    for name, inner in schema.get("properties", {}).items():
        yield from inside(f"{where}.{name}", inner)
    for key in ("items", "additionalProperties"):
        yield from inside(f"{where}.{key}", schema.get(key))
    for key in ("anyOf", "oneOf", "allOf"):
        for inner in schema.get(key, ()):
            yield from inside(where, inner)


def test_every_field_is_described():
    bare = [
        f"{where}.{name}"
        for where, schema in schemas()
        for name, field in schema.get("properties", {}).items()
        if not field.get("description", "").strip()
    ]
    assert bare == []
    assert sum(len(schema.get("properties", {})) for _, schema in schemas()) > 500


def test_every_shape_is_described_and_closed():
    named = document()["components"]["schemas"]
    assert [name for name, schema in named.items() if name.endswith("Out") and not schema.get("description")] == []
    open_ended = [
        where
        for where, schema in schemas()
        if schema.get("properties") and schema.get("additionalProperties") not in (None, False)
    ]
    assert open_ended == []  # an answer with more fields than it says


def test_every_parameter_is_described():
    for name, operation in OPERATIONS.items():
        for parameter in operation.get("parameters", ()):
            assert parameter["description"].strip(), f"{name}: {parameter['name']}"
            assert parameter["schema"], f"{name}: {parameter['name']}"


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_is_described(name: str):
    operation = OPERATIONS[name]
    assert operation["summary"].strip()
    assert operation["description"].strip()
    assert len(operation["tags"]) == 1
    assert operation["tags"][0] in TAGS
    assert operation["security"] == ([] if name in OPEN else [{scheme: []} for scheme in SECURITY])


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_has_its_statuses(name: str):
    operation = OPERATIONS[name]
    answers = operation["responses"]
    assert [status for status in answers if status < "300"] != []
    assert "422" not in answers  # what FastAPI would answer, and Sluice does not
    wanted = set() if name in NO_STORE else {"400", "503"}
    wanted |= set() if name in OPEN else {"401"}
    wanted |= {"404"} if "{" in name else set()
    wanted |= {"413", "415"} if "requestBody" in operation else set()
    assert wanted <= {*answers}
    for status, answer in answers.items():
        whole = resolved(answer)
        assert whole["description"].strip()
        empty = status in {"204", "303", "304"} or (
            name.endswith("/validate") and status == "200" and "/storages/" in name
        )
        assert ("content" in whole) != empty, f"{status} without a schema"
        if list(whole.get("content", ())) in STREAMS:
            assert name.endswith(("/resolve", "/presign", "/local-files", "/manifest"))
        elif not empty:
            assert list(whole["content"]) == ["application/json"]
            assert whole["content"]["application/json"]["schema"]


@pytest.mark.parametrize("name", [name for name, operation in OPERATIONS.items() if "requestBody" in operation])
def test_a_body_has_an_example_that_is_one(name: str):
    media = OPERATIONS[name]["requestBody"]["content"]["application/json"]
    schema = {**media["schema"], "components": components()}  # strict: an example has no unknown fields
    assert jsonschema_rs.Draft202012Validator(schema).is_valid(media["example"])


def test_what_writes_has_a_body():
    bare = {name for name, operation in OPERATIONS.items() if "requestBody" not in operation}
    writes = {name for name in bare if name.split(" ")[0] in {"POST", "PUT", "PATCH"}}
    assert {name for name in writes if not name.endswith("/sync")} == {"POST /api/current-user/reset-token"}


def test_names_are_unique_and_paths_have_no_slash_at_the_end():
    ids = [operation["operationId"] for operation in OPERATIONS.values()]
    assert len(ids) == len({*ids}) > 60
    assert [path for path in document()["paths"] if path.endswith("/")] == []
    assert {method for operations in document()["paths"].values() for method in operations} <= {*METHODS}


def test_every_tag_is_used_in_its_order():
    used = {operation["tags"][0] for operation in OPERATIONS.values()}
    assert used == {*TAGS}
    assert [tag["name"] for tag in document()["tags"]] == list(TAGS)


def test_every_reference_leads_somewhere():
    found = 0
    pending: list[Any] = [document()]
    while pending:
        node = pending.pop()
        if isinstance(node, dict):
            if isinstance(node.get("$ref"), str):
                found += 1
                assert resolved(node)
            pending += node.values()
        elif isinstance(node, list):
            pending += node
    assert found > 100


ERROR = {"id": "1", "status_code": 404, "version": "1", "detail": "Not found.", "exc_info": None}
WRONG = {
    "a status that it has not": (httpx.Response(418), "status 418 is not documented"),
    "no body": (httpx.Response(200), "the content type is None"),
    "another field": (httpx.Response(404, json={**ERROR, "more": 1}), "'more' was unexpected"),
    "a field too few": (
        httpx.Response(404, json={name: ERROR[name] for name in ERROR if name != "id"}),
        '"id" is a required property',
    ),
    "another type": (httpx.Response(404, json={**ERROR, "detail": 7}), 'is not of type "string"'),
    "no header": (httpx.Response(503, json=ERROR), "the header Retry-After is missing"),
    "a body too many": (httpx.Response(204, json={}), "there should be no body"),
}


@pytest.mark.parametrize("case", WRONG)
def test_an_answer_that_is_not_as_documented_is_seen(case: str):
    answer, fault = WRONG[case]
    method = "DELETE" if answer.status_code == 204 else "GET"
    found = faults(method, "/api/tasks/7/", answer)
    assert len(found) == 1
    assert fault in found[0]


def test_an_answer_that_is_as_documented_passes():
    assert faults("GET", "/api/tasks/7", httpx.Response(404, json=ERROR)) == []
    assert faults("DELETE", "/api/tasks/7", httpx.Response(204)) == []
    assert faults("GET", "/api/nothing", httpx.Response(418)) == []  # no operation
