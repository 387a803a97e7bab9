"""Whatever is sent to the routes of tasks, annotations, predictions and imports: never a 500."""

import json
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.api.client import Api, words
from tests.api.test_refusals import IDS, VALUES
from tests.labelling import assert_consistent


class Things:
    """One of each, and every route that takes a body."""

    def __init__(self, api: Api) -> None:
        self.project = api.project(label_config="<View/>")
        self.task = api.post("/api/tasks/", {"project": self.project, "data": {"n": 1}}, 201)["id"]
        self.annotation = api.post(f"/api/tasks/{self.task}/annotations/", {"result": []}, 201)["id"]
        self.prediction = api.post("/api/predictions/", {"task": self.task, "result": []}, 201)["id"]
        self.objects = [
            ("POST", "/api/tasks/"),
            ("PATCH", f"/api/tasks/{self.task}/"),
            ("POST", f"/api/tasks/{self.task}/annotations/"),
            ("PATCH", f"/api/annotations/{self.annotation}/"),
            ("POST", "/api/annotations/bulk"),
            ("POST", "/api/annotations/bulk-delete"),
            ("POST", "/api/predictions/"),
            ("PATCH", f"/api/predictions/{self.prediction}/"),
        ]
        self.lists = [
            ("POST", f"/api/projects/{self.project}/import"),
            ("POST", f"/api/projects/{self.project}/import/predictions"),
        ]


@pytest.fixture
def things(api: Api) -> Things:
    return Things(api)


BODIES: dict[str, tuple[bytes, int, str]] = {
    "no JSON": (b"{", 400, "JSON parse error"),
    "NaN": (b'{"lead_time": NaN}', 400, "JSON parse error"),
    "infinite": (b'{"lead_time": 1e999}', 400, "JSON parse error"),
    "half a surrogate": (b'{"result": ["\\ud800"]}', 400, "JSON parse error"),
    "no UTF-8": (b'{"result": ["\xff"]}', 400, "JSON parse error"),
    "too deep": (b"[" * 5000, 400, "JSON parse error"),
    "a text": (b'"x"', 400, "object"),
    "null": (b"null", 400, "object"),
    "a number": (b"1", 400, "object"),
}


@pytest.mark.parametrize("case", BODIES)
def test_bodies(api: Api, things: Things, case: str):
    body, status, sentence = BODIES[case]
    for method, path in things.objects + things.lists:
        error = api.call(method, path, status, content=body, headers={"Content-Type": "application/json"})
        text = json.dumps(error)
        assert sentence in text or "A list of predictions is required" in text, (method, path, text)


@pytest.mark.parametrize("bad", IDS)
def test_ids_that_are_none_are_not_found(api: Api, bad: str):
    for path in (f"/api/annotations/{bad}/", f"/api/predictions/{bad}/"):
        for method in ("GET", "DELETE"):
            assert api.call(method, path, 404)["status_code"] == 404
        api.call("PATCH", path, 404, json={})
    api.get(f"/api/tasks/{bad}/annotations/", 404)
    api.post(f"/api/tasks/{bad}/annotations/", {"result": []}, 404)
    api.post(f"/api/projects/{bad}/import", [], 404)
    api.post(f"/api/projects/{bad}/import/predictions", [], 404)
    api.call("DELETE", f"/api/projects/{bad}/tasks/", 404)
    project = api.project()
    api.get(f"/api/projects/{project}/imports/{bad}", 404)
    for query in (f"task={bad}", f"project={bad}", f"task__project={bad}"):
        api.get(f"/api/predictions/?{query}", 404)


NAMES = words(
    "id project task tasks ids data meta allow_skip annotations predictions result completed_by was_cancelled "
    "ground_truth lead_time unique_id last_action draft_created_at score model_version cluster neighbors mislabeling "
    "model model_run import_id parent_prediction selected_items bulk_created"
)
DEEP = "as deep as can be read"
ODD = st.sampled_from(
    [DEEP, {"a": DEEP}, 10**300, -(2**63), 2**64, 1e308, "\0", "x" * 300, [], {}, "2026-01-01T00:00Z"]
)
FIELDS = st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=5), VALUES | ODD, max_size=5)


def test_no_body_makes_a_500(api: Api, things: Things):
    own = {"project": things.project, "task": things.task, "tasks": [things.task], "data": {"n": 1}, "result": []}

    @settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
    @given(FIELDS, st.sets(st.sampled_from(sorted(own))))
    def check(fields: dict[str, Any], kept: set[str]) -> None:
        body = json.dumps({**fields, **{name: own[name] for name in kept}})
        body = body.replace(f'"{DEEP}"', "[" * 1000 + "]" * 1000)
        for method, path in things.objects + things.lists:
            for text in (body, f"[{body}]"):
                answer = api.http.request(method, path, content=text, headers={"Content-Type": "application/json"})
                assert answer.status_code < 500, (method, path, text[:300], answer.text)
                if answer.status_code == 400:
                    error = answer.json()
                    assert error.get("validation_errors") or error["detail"].startswith("JSON parse error"), error

    check()
    assert_consistent(api.ctx, things.project)
    assert api.get(f"/api/tasks/?project={things.project}&fields=all&page_size=1000")["total"] >= 1


TEXTS = st.text(max_size=12) | st.sampled_from(["-1", "0", "1e5", "9" * 30, "\0", "true", "id", "-updated_at", "all"])
QUERIES = words(
    "project page page_size fields query selectedItems only_annotated ordering was_cancelled task task__project "
    "return_task_ids commit_to_project preannotated_from_fields view"
)


def test_no_query_makes_a_500(api: Api, things: Things):
    paths = ["/api/tasks/", f"/api/tasks/{things.task}/annotations/", "/api/predictions/"]

    @settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.dictionaries(st.sampled_from(QUERIES), TEXTS | VALUES.map(json.dumps), max_size=5), st.booleans())
    def check(query: dict[str, str], own: bool) -> None:
        given_ = {**query, **({"project": str(things.project)} if own else {})}
        text = "&".join(f"{name}={quote(value, errors='surrogatepass')}" for name, value in given_.items())
        for path in paths:
            answer = api.http.get(f"{path}?{text}")
            assert answer.status_code < 500, (path, text, answer.text)
        for method, path in [*things.lists, things.objects[2]]:
            answer = api.http.request(method, f"{path}?{text}", json=[{"data": {"n": 1}}])
            assert answer.status_code < 500, (path, text, answer.text)

    check()


@pytest.mark.parametrize("key", ["\x7f", "é", "a b", "-"])
def test_keys_may_be_of_any_letters(api: Api, things: Things, key: str):
    headers = {"Idempotency-Key": key.encode()}
    path = f"/api/tasks/{things.task}/annotations/"
    first = api.post(path, {"result": [1]}, 201, headers=headers)
    assert api.post(path, {"result": [1]}, 201, headers=headers) == first
