"""Lists of tasks by filter and in another order than their source's."""

import json
from dataclasses import replace
from typing import Any

import pytest

from functions.app import create_app
from shared.services.labelling import selecting
from tests.api.client import Api
from tests.api.conftest import Switch

IMAGES = ["d", "a", "c", "b", "e", "f", "g"]


@pytest.fixture
def project(api: Api) -> int:
    """Seven tasks: the second has an annotation, the third a cancelled one, the fourth two predictions."""
    project = api.project()
    items: list[Any] = [{"data": {"image": image, "n": n}} for n, image in enumerate(IMAGES)]
    items[1]["annotations"] = [{"result": []}]
    items[2]["annotations"] = [{"result": [], "was_cancelled": True}]
    items[3]["predictions"] = [{"result": []}] * 2
    api.post(f"/api/projects/{project}/import", items, 201)
    return project


def listed(api: Api, project: int, status: int = 200, more: str = "", **query: Any) -> Any:
    params = {"project": str(project), "query": json.dumps(query)}
    return api.get(f"/api/tasks/?{more}", status, params=params | dict(p.split("=") for p in more.split("&") if p))


def images(answer: Any) -> list[str]:
    return [task["data"]["image"] for task in answer["tasks"]]


def where(column: str, operator: str, value: Any, kind: str = "Number") -> dict[str, Any]:
    item = {"filter": f"filter:tasks:{column}", "operator": operator, "type": kind, "value": value}
    return {"filters": {"conjunction": "and", "items": [item]}}


def test_filters_keep_the_order_of_the_source_and_count_what_they_select(api: Api, project: int):
    answer = listed(api, project, **where("data.n", "greater", 0))
    assert images(answer) == IMAGES[1:]
    assert (answer["total"], answer["total_annotations"], answer["total_predictions"]) == (6, 1, 2)
    answer = listed(api, project, **where("total_predictions", "equal", 2))
    assert (images(answer), answer["total"], answer["total_predictions"]) == (["b"], 1, 2)
    assert images(listed(api, project, **where("cancelled_annotations", "equal", 1))) == ["c"]
    assert images(listed(api, project, **where("data.image", "in_list", ["e", "a"], "String"))) == ["a", "e"]
    assert listed(api, project, **where("data.image", "equal", "x", "String"))["tasks"] == []


def test_by_id(api: Api, project: int):
    task = api.get(f"/api/tasks/?project={project}")["tasks"][4]
    assert images(listed(api, project, **where("id", "equal", task["id"]))) == ["e"]
    chosen = {"all": False, "included": [task["id"]]}
    assert images(listed(api, project, selectedItems=chosen)) == ["e"]
    params = {"project": str(project), "selectedItems": json.dumps({"all": True, "excluded": [task["id"]]})}
    assert images(api.get("/api/tasks/", params=params)) == ["d", "a", "c", "b", "f", "g"]


def test_times_as_they_are_shown(api: Api, project: int):
    task = api.get(f"/api/tasks/?project={project}")["tasks"][0]
    api.call("PATCH", f"/api/tasks/{task['id']}/", json={"meta": {"m": 1}})
    changed = api.get(f"/api/tasks/{task['id']}/")["updated_at"]
    assert images(listed(api, project, **where("updated_at", "equal", changed, "Datetime"))) == ["d"]
    assert len(listed(api, project, **where("created_at", "equal", task["created_at"], "Datetime"))["tasks"]) == 7


def test_orders(api: Api, project: int):
    assert images(listed(api, project, ordering=["tasks:data.image"])) == sorted(IMAGES)
    assert images(listed(api, project, ordering=["-tasks:data.image"])) == sorted(IMAGES, reverse=True)
    assert images(listed(api, project, ordering=["-tasks:total_predictions"]))[:2] == ["b", "d"]
    numbers = [task["id"] for task in listed(api, project, ordering=["tasks:id"])["tasks"]]
    assert numbers == sorted(numbers)


def test_only_annotated(api: Api, project: int):
    for value, expected in (("true", ["a"]), ("1", ["a"]), ("false", IMAGES), ("", IMAGES)):
        answer = api.get(f"/api/tasks/?project={project}&only_annotated={value}")
        assert images(answer) == expected
        assert answer["total"] == len(expected)


def test_shapes_are_those_of_every_list(api: Api, project: int):
    plain = api.get(f"/api/tasks/?project={project}&fields=all")
    assert listed(api, project, more="fields=all", ordering=["tasks:data.n"]) == plain
    assert listed(api, project, ordering=["tasks:data.n"]) == api.get(f"/api/tasks/?project={project}")


def test_pages(api: Api, project: int):
    order = {"ordering": ["tasks:data.image"]}
    pages = [images(listed(api, project, more=f"page={page}&page_size=3", **order)) for page in (1, 2, 3)]
    assert pages == [["a", "b", "c"], ["d", "e", "f"], ["g"]]
    for beyond in ("4", "0", "-1", "x", "99999999999"):
        assert listed(api, project, 404, more=f"page={beyond}&page_size=3", **order)["detail"] == "Invalid page."
    empty = where("data.image", "equal", "x", "String")
    assert listed(api, project, more="page=1", **empty)["total"] == 0
    listed(api, project, 404, more="page=2", **empty)


def test_later_pages_cost_what_is_on_them(api: Api, project: int):
    order = {"ordering": ["tasks:data.image"]}
    listed(api, project, more="page=1&page_size=3", **order)
    queries, read = [], []
    query, get_many = api.ctx.documents.query, api.ctx.documents.get_many
    api.ctx.documents.query = lambda asked: queries.append(asked) or query(asked)  # type: ignore[method-assign,func-returns-value]
    api.ctx.documents.get_many = lambda refs: read.extend(refs) or get_many(refs)  # type: ignore[method-assign,func-returns-value]
    assert images(listed(api, project, more="page=2&page_size=3", **order)) == ["d", "e", "f"]
    assert [asked for asked in queries if asked.collection == "tasks"] == []
    assert len([ref for ref in read if ref.collection == "tasks"]) == 3


def test_another_process_finds_its_way_to_any_page(api: Api, project: int, switch: tuple[Switch, str]):
    order = {"ordering": ["-tasks:data.image"]}
    first = listed(api, project, more="page=1&page_size=3", **order)
    switch[0].app = create_app(lambda: api.ctx)
    second = listed(api, project, more="page=2&page_size=3", **order)
    assert images(second) == ["d", "c", "b"]
    assert (second["total"], second["total_annotations"]) == (first["total"], first["total_annotations"]) == (7, 1)


def test_pages_stay_as_they_began_while_others_work(api: Api, project: int):
    """The list is made with its first page: what is deleted meanwhile is left out, and nothing else moves."""
    order = {"ordering": ["tasks:data.image"]}
    first = listed(api, project, more="page=1&page_size=3", **order)
    api.call("DELETE", f"/api/tasks/{first['tasks'][0]['id']}/", 204)
    api.post("/api/tasks/", {"project": project, "data": {"image": "aa"}}, 201)
    assert images(listed(api, project, more="page=2&page_size=3", **order)) == ["d", "e", "f"]
    assert images(listed(api, project, more="page=1&page_size=3", **order)) == ["aa", "b", "c"]


def test_a_list_is_made_anew_after_a_while(api: Api, project: int):
    order = {"ordering": ["tasks:data.image"]}
    listed(api, project, more="page=1&page_size=3", **order)
    api.post("/api/tasks/", {"project": project, "data": {"image": "0"}}, 201)
    now = api.ctx.clock()
    api.ctx.clock = lambda: now + selecting.LIFE + 1
    assert images(listed(api, project, more="page=2&page_size=3", **order)) == ["c", "d", "e"]


@pytest.mark.parametrize("stride", [1, 3, 7, 1000])
def test_a_project_is_looked_through_in_strides(api: Api, project: int, monkeypatch: pytest.MonkeyPatch, stride: int):
    monkeypatch.setattr(selecting, "STRIDE", stride)
    monkeypatch.setattr(selecting, "STRIDE_WITH_DATA", stride)
    assert images(listed(api, project, ordering=["tasks:data.image"])) == sorted(IMAGES)
    assert len(listed(api, project, ordering=["tasks:id"])["tasks"]) == 7


@pytest.mark.parametrize(("limit", "status"), [(7, 200), (6, 400), (1, 400)])
def test_there_is_a_limit_to_what_is_looked_through(api: Api, project: int, limit: int, status: int):
    api.ctx.settings = replace(api.ctx.settings, max_selected_tasks=limit)
    for query in ({"ordering": ["tasks:id"]}, {"ordering": ["tasks:data.image"]}):
        answer = listed(api, project, status, **query)
        if status == 400:
            assert f"more than {limit} tasks" in answer["validation_errors"]["query"][0]
    assert api.get(f"/api/tasks/?project={project}")["total"] == 7


def test_addresses_are_filtered_under_the_name_they_are_shown_with(api: Api):
    project = api.project()
    api.folder(files=3)
    storage = api.local(project)["id"]
    api.post(f"/api/storages/localfiles/{storage}/sync")
    api.work()
    answer = listed(api, project, **where("data.image", "contains", "0001.png", "String"))
    assert [task["storage_filename"] for task in answer["tasks"]] == ["0001.png"]
    answer = listed(api, project, **where("storage_filename", "regex", "000[12]", "String"))
    assert [task["storage_filename"] for task in answer["tasks"]] == ["0001.png", "0002.png"]


def test_what_others_do_not_own_is_not_there(api: Api, project: int):
    other = api.as_user(api.project())
    assert listed(other, project, 404, ordering=["tasks:id"])["detail"] == "No Project matches the given query."
