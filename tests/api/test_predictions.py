"""Predictions over HTTP: shapes, rules, repeats, and many at once."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.api.client import Api, words
from tests.labelling import assert_consistent, faults

KEYS = words(
    "id result model_version created_ago score cluster neighbors mislabeling created_at updated_at model model_run "
    "task project"
)
RESULT = [{"value": {"choices": ["dog"]}}]


@pytest.fixture
def project(api: Api) -> int:
    return api.project()


@pytest.fixture
def tasks(api: Api, project: int) -> list[int]:
    items = [{"image": str(at)} for at in range(60)]
    return list(api.post(f"/api/projects/{project}/import?return_task_ids=true", items, 201)["task_ids"])


def predict(api: Api, task: int, key: str = "", **fields: Any) -> Any:
    headers = {"Idempotency-Key": key} if key else {}
    return api.post("/api/predictions/", {"task": task, "result": RESULT, **fields}, 201, headers=headers)


def test_a_new_prediction_has_every_key_in_order(api: Api, project: int, tasks: list[int]):
    made = predict(api, tasks[0], score=0.5, model_version="v")
    assert list(made) == KEYS
    assert (made["task"], made["project"], made["result"]) == (tasks[0], project, RESULT)
    assert (made["score"], made["model_version"], made["mislabeling"]) == (0.5, "v", 0.0)
    assert [made[key] for key in ("cluster", "neighbors", "model", "model_run")] == [None] * 4
    assert made["created_ago"] == "0\u00a0minutes"
    assert api.get(f"/api/predictions/{made['id']}/") == made
    assert api.get(f"/api/predictions/?task={tasks[0]}") == [made]
    shown = api.get(f"/api/tasks/{tasks[0]}/")
    assert (shown["predictions"], shown["total_predictions"], shown["is_labeled"]) == ([made], 1, False)
    assert (shown["predictions_score"], shown["predictions_model_versions"]) == (0.5, "v")


def test_every_field_that_can_be_given_is_kept(api: Api, tasks: list[int]):
    neighbors = {"near": [[1, 2], {"deep": [[[]]]}]}
    given = {"cluster": 3, "neighbors": neighbors, "mislabeling": 0.5, "model": 4, "model_run": 5, "score": None}
    made = predict(api, tasks[0], **given, id=9, project=9)
    assert {name: made[name] for name in given} == given
    assert made["id"] != 9


def test_lists_are_of_a_task_or_of_a_project(api: Api, project: int, tasks: list[int]):
    made = [predict(api, tasks[n], score=n / 10) for n in (0, 1, 1)]
    other = api.project()
    stranger = api.post("/api/tasks/", {"project": other, "data": {"image": "x"}}, 201)["id"]
    predict(api, stranger)
    assert made[1] == made[2]  # the same, twice
    for query in (f"project={project}", f"task__project={project}"):
        assert api.get(f"/api/predictions/?{query}") == made[:2]
    assert api.get(f"/api/predictions/?task={tasks[1]}&project={project}") == made[1:2]
    assert api.get(f"/api/predictions/?task={tasks[1]}&project={other}") == []
    error = api.get("/api/predictions/", 400)
    assert error["validation_errors"]["non_field_errors"] == ['query parameter "task" or "project" is required']
    for query in ("task=5", "task=x", "project=99", "project=x"):
        api.get(f"/api/predictions/?{query}", 404)


def test_a_project_with_too_many_for_one_answer_says_so(api: Api, project: int, tasks: list[int]):
    for n in range(3):
        predict(api, tasks[n], result=["x" * 100_000])
    object.__setattr__(api.ctx.settings, "max_body_bytes", 250_000)
    error = api.get(f"/api/predictions/?project={project}", 400)
    assert "read them with its tasks" in error["validation_errors"]["non_field_errors"][0]
    assert len(api.get(f"/api/predictions/?task={tasks[0]}")) == 1


def test_edits_and_deletion(api: Api, project: int, tasks: list[int]):
    made = predict(api, tasks[0], score=0.5)
    path = f"/api/predictions/{made['id']}/"
    changed = api.call("PATCH", path, json={"score": 0.75, "task": tasks[0]})
    assert changed == {**made, "score": 0.75, "updated_at": changed["updated_at"]}
    assert changed["updated_at"] > made["updated_at"]
    assert api.call("PATCH", path, json={"score": 0.75}) == changed
    error = api.call("PATCH", path, 400, json={"task": tasks[1]})
    assert error["validation_errors"] == {"task": ["A prediction can't move to another task."]}
    api.call("DELETE", path, 204)
    for method in ("GET", "PATCH", "DELETE"):
        error = api.call(method, path, 404, **({"json": {}} if method == "PATCH" else {}))
        assert error["detail"] == "No Prediction matches the given query."
    assert set(assert_consistent(api.ctx, project).values()) == {0}


REFUSED: dict[str, tuple[dict[str, Any], str, str]] = {
    "no task": ({"result": []}, "task", "This field is required."),
    "null task": ({"task": None, "result": []}, "task", "This field is required."),
    "unknown task": ({"task": 5, "result": []}, "task", 'Invalid pk "5" - object does not exist.'),
    "task no number": ({"task": "x", "result": []}, "task", "object does not exist."),
    "task a list": ({"task": [0], "result": []}, "task", "object does not exist."),
    "task true": ({"task": True, "result": []}, "task", "object does not exist."),
    "no result": ({"task": 0}, "result", "This field is required."),
    "null result": ({"task": 0, "result": None}, "result", "must be a list"),
    "text score": ({"task": 0, "result": [], "score": "high"}, "score", "A valid number is required."),
    "deep neighbours": ({"task": 0, "result": [], "neighbors": 0}, "neighbors", "nested too deep"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused(api: Api, tasks: list[int], case: str):
    body, name, sentence = REFUSED[case]
    body = {**body, **({"task": tasks[0]} if body.get("task") == 0 else {})}
    if "neighbors" in body:
        for _ in range(300):
            body["neighbors"] = [body["neighbors"]]
    error = api.post("/api/predictions/", body, 400)
    assert list(error["validation_errors"]) == [name]
    assert sentence in error["validation_errors"][name][0]


def test_what_is_as_deep_as_it_may_be_can_be_shown(api: Api, project: int, tasks: list[int]):
    deep: Any = 0
    for _ in range(250):
        deep = [deep]
    predict(api, tasks[0], neighbors=deep)
    assert api.get(f"/api/tasks/?project={project}&fields=all")["tasks"][0]["predictions"][0]["neighbors"] == deep


def test_the_same_within_a_minute_is_the_same(api: Api, project: int, tasks: list[int]):
    now = api.ctx.clock()
    api.ctx.clock = lambda: now
    first = predict(api, tasks[0])["id"]
    keyed = predict(api, tasks[0], key="k")["id"]
    others = {predict(api, tasks[0], score=1)["id"], predict(api, tasks[1])["id"], keyed}
    assert len(others | {first}) == 4
    with ThreadPoolExecutor(4) as threads:
        assert {one["id"] for one in threads.map(lambda _: predict(api, tasks[0]), range(8))} == {first}
    now += 61
    assert predict(api, tasks[0])["id"] != first
    assert predict(api, tasks[0], key="k")["id"] == keyed
    assert assert_consistent(api.ctx, project)["total_predictions"] == 5


@pytest.mark.parametrize("script", [["lost"], ["vanished"], ["refused"], ["refused", "lost"], ["lost", "refused"]])
def test_no_fault_of_a_commit_is_seen(api: Api, project: int, tasks: list[int], script: Any):
    with faults(api.ctx, *script):
        made = predict(api, tasks[0])["id"]
    assert assert_consistent(api.ctx, project)["total_predictions"] == 1
    with faults(api.ctx, *script):
        assert api.call("PATCH", f"/api/predictions/{made}/", json={"score": 1})["score"] == 1.0
    with faults(api.ctx, *script):
        assert imported(api, project, [{"task": task, "result": []} for task in tasks for _ in range(2)]) == 120
    assert assert_consistent(api.ctx, project)["total_predictions"] == 121
    with faults(api.ctx, *script):
        api.call("DELETE", f"/api/predictions/{made}/", 204)
    assert assert_consistent(api.ctx, project)["total_predictions"] == 120


def imported(api: Api, project: int, items: list[Any]) -> int:
    return int(api.post(f"/api/projects/{project}/import/predictions", items, 201)["created"])


def test_many_at_once(api: Api, project: int, tasks: list[int]):
    """Two hundred to each of many tasks within one moment: their numbers must not meet."""
    now = api.ctx.clock()
    api.ctx.clock = lambda: now
    items = [{"task": task, "result": [at], "score": at / 200} for at in range(200) for task in tasks[:10]]
    with faults(api.ctx) as tried:
        assert imported(api, project, items) == 2000
    assert max(map(len, tried)) <= 500
    assert assert_consistent(api.ctx, project)["total_predictions"] == 2000
    shown = api.get(f"/api/predictions/?task={tasks[0]}")
    assert [one["result"] for one in shown] == [[at] for at in range(200)]
    assert imported(api, project, items) == 2000  # again: all are there
    assert api.count("predictions") == 2000
    more = [{"task": tasks[11], "result": []}, {"task": tasks[0], "result": []}]
    error = api.post(f"/api/projects/{project}/import/predictions", more, 400)
    assert "A task can have 200 predictions" in error["validation_errors"]["non_field_errors"][0]


def test_many_tasks_share_a_commit(api: Api, project: int, tasks: list[int]):
    with faults(api.ctx) as tried:
        assert imported(api, project, [{"task": task, "result": []} for task in tasks]) == 60
    assert len(tried) <= 2
    assert assert_consistent(api.ctx, project)["total_predictions"] == 60


def test_no_commit_is_too_large(api: Api, project: int, tasks: list[int]):
    """A task's predictions are more than one commit can hold."""
    items = [{"task": tasks[0], "result": ["x" * 800_000, n]} for n in range(8)]
    with faults(api.ctx, "lost") as tried:
        assert imported(api, project, items) == 8
    assert len(tried) >= 3
    assert [one["result"][1] for one in api.get(f"/api/predictions/?task={tasks[0]}")] == list(range(8))
    assert_consistent(api.ctx, project)


def test_what_broke_off_is_gone_on_with(api: Api, project: int, tasks: list[int]):
    items = [{"task": task, "result": [n]} for task in tasks for n in range(9)]
    with faults(api.ctx, "", "down") as tried:
        api.post(f"/api/projects/{project}/import/predictions", items, 503)
    assert len(tried) == 2
    assert 0 < assert_consistent(api.ctx, project)["total_predictions"] < 540
    assert imported(api, project, items) == 540
    assert assert_consistent(api.ctx, project)["total_predictions"] == 540


BAD_ITEMS: dict[str, tuple[Any, str, str]] = {
    "no list": ({"task": 1}, "non_field_errors", "A list of predictions is required."),
    "a text": (["x"], "0", "Write an object with task and result."),
    "no task": ([{"result": []}], "0", "task: The number of a task is required."),
    "a text for a task": ([{"task": "1", "result": []}], "0", "task: The number of a task is required."),
    "no result": ([{"task": 0}], "0", "result: This field is required."),
    "unknown task": ([{"task": 7, "result": []}], "task", "The project has no task 7."),
    "many for one": ([{"task": 7, "result": []}] * 201, "200", "task: A task can have 200 predictions."),
    "too many": ([{}] * 10_001, "non_field_errors", "At most 10000 predictions at once; these are 10001."),
}


@pytest.mark.parametrize("case", BAD_ITEMS)
def test_if_one_is_bad_none_is_made(api: Api, project: int, tasks: list[int], case: str):
    items, name, sentence = BAD_ITEMS[case]
    if items == [{"task": 0}]:
        items = [{"task": tasks[0]}]
    if isinstance(items, list):
        items = [*items, {"task": tasks[0], "result": []}]
        sentence = sentence.replace("10001", "10002")
    error = api.post(f"/api/projects/{project}/import/predictions", items, 400)
    assert error["validation_errors"][name] == [sentence]
    assert assert_consistent(api.ctx, project)["total_predictions"] == 0


def test_faults_are_told_in_bounds(api: Api, project: int):
    items = [{"task": n, "result": []} for n in range(1, 5001)]
    error = api.post(f"/api/projects/{project}/import/predictions", items, 400)
    assert len(error["validation_errors"]["task"]) == 20
    error = api.post(f"/api/projects/{project}/import/predictions", [{}] * 5000, 400)
    assert len(error["validation_errors"]) == 20


def test_what_others_do_not_own_is_not_there(api: Api, project: int, tasks: list[int]):
    made = predict(api, tasks[0])["id"]
    other = api.as_user(api.project())
    other.get(f"/api/predictions/{made}/", 404)
    other.get(f"/api/predictions/?task={tasks[0]}", 404)
    other.get(f"/api/predictions/?project={project}", 404)
    error = other.post("/api/predictions/", {"task": tasks[0], "result": []}, 400)
    assert error["validation_errors"] == {"task": [f'Invalid pk "{tasks[0]}" - object does not exist.']}
    other.post(f"/api/projects/{project}/import/predictions", [], 404)
