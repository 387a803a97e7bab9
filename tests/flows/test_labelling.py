"""People at work while files change and projects go, and what reading their work costs; on both platforms."""

import json

import pytest

from shared.errors import CommitRefusedError
from shared.model.annotation import Annotation
from shared.ports import Delete, Query, Update
from shared.services import sweeping
from shared.services.labelling import annotating
from tests.labelling import assert_consistent, faults


@pytest.fixture
def project(api):
    return api.project()


def ok(answer):
    assert answer.status_code < 300, answer.text
    return answer.json() if answer.content else None


def imported(api, project, count):
    items = [
        {
            "data": {"image": f"{n:04d}"},
            "predictions": [{"result": [n]}],
            "annotations": [{"result": [n], "was_cancelled": n % 2 == 1}],
        }
        for n in range(count)
    ]
    return ok(api.http.post(f"/api/projects/{project}/import?return_task_ids=true", json=items))["task_ids"]


def once(store, wanted, act):
    """Does something before the first commit whose writes are wanted."""
    commit = store.commit

    def watched(writes, checks=()):
        if wanted(writes):
            store.commit = commit
            act()
        return commit(writes, checks)

    store.commit = watched


def test_annotating_while_a_changed_file_is_synced(api, s3, stack, store, project):
    """Those who save an annotation keep what they saw; everybody else's tasks follow the file."""
    s3.drop("files")
    s3.bucket("files")
    storage = api.s3_storage(project, s3.endpoint, bucket="files", use_blob_urls=False)

    def synced(prefix):
        rows = [{"data": {"image": f"{prefix}{n}"}, "predictions": [{"result": [n]}]} for n in range(40)]
        s3.put("files", "rows.json", json.dumps(rows))
        api.sync(storage)
        return api.wait(storage)

    assert "completed" == synced("old ")["status"]
    chosen = [api.tasks(project)[at]["id"] for at in (0, 19, 39)]

    def annotate():
        for task in chosen:
            annotating.create(stack.ctx, task, {"result": ["mine"]}, user=1)

    once(store, lambda writes: any(isinstance(w, Update) and w.ref.collection == "tasks" for w in writes), annotate)
    ended = synced("new ")

    assert ("completed", None) == (ended["status"], ended["traceback"])
    images = {task["id"]: task["data"]["image"] for task in api.tasks(project)}
    assert ["old 0", "old 19", "old 39"] == [images[task] for task in chosen]
    assert sorted([*(f"new {n}" for n in range(40)), "old 0", "old 19", "old 39"]) == sorted(images.values())
    assert {"total_annotations": 3, "cancelled_annotations": 0, "total_predictions": 43} == assert_consistent(
        stack.ctx, project
    )


def test_a_deleted_project_leaves_nothing(api, stack, store, project):
    """Not even an annotation that is saved while the rest of it is collected already."""
    tasks = imported(api, project, 30)
    ok(api.http.post(f"/api/tasks/{tasks[0]}/annotations/", json={"result": []}))
    late = store.get(stack.ctx.tasks.ref(tasks[3]))
    ok(api.http.delete(f"/api/projects/{project}/"))
    for path in (f"/api/tasks/{tasks[0]}/", f"/api/tasks/{tasks[0]}/annotations/", f"/api/tasks/?project={project}"):
        assert 404 == api.http.get(path).status_code

    def save():
        number = stack.ctx.new_number()
        made = Annotation(id=number, task=tasks[3], project=project, created_at=1.0, updated_at=1.0)
        update = Update(late.ref, {"annotation_ids": [number]}, late.revision)
        store.commit([update, stack.ctx.annotations.create(number, made)])

    once(store, lambda writes: any(isinstance(w, Delete) and w.ref.collection == "tasks" for w in writes), save)
    sweeping.sweep(stack.ctx)

    with pytest.raises(CommitRefusedError):
        save()
    collections = ("tasks", "annotations", "predictions", "trash")
    assert [0] * 4 == [stack.ctx.documents.count(Query(collection=collection)) for collection in collections]


def test_an_import_that_broke_off_is_gone_on_with(api, stack, project):
    """The answer to one commit is lost, the next never comes: once each, in order."""
    items = [{"data": {"image": f"{n:04d}"}, "predictions": [{"result": [n]}]} for n in range(500)]
    path = f"/api/projects/{project}/import?return_task_ids=true"
    with faults(stack.ctx, "", "lost", "down"):
        assert 503 == api.http.post(path, json=items).status_code

    answer = ok(api.http.post(path, json=items))

    assert 500 == len(set(answer["task_ids"]))
    assert [item["data"]["image"] for item in items] == [task["data"]["image"] for task in api.tasks(project)]
    assert 500 == assert_consistent(stack.ctx, project)["total_predictions"]


@pytest.mark.parametrize("script", [["lost"], ["vanished"], ["refused", "lost"]])
def test_no_fault_of_a_commit_is_seen(api, stack, project, script):
    tasks = imported(api, project, 4)
    before = assert_consistent(stack.ctx, project)
    with faults(stack.ctx, *script):
        made = ok(api.http.post(f"/api/tasks/{tasks[0]}/annotations/", json={"result": [1]}))["id"]
    with faults(stack.ctx, *script):
        ok(api.http.patch(f"/api/annotations/{made}/", json={"was_cancelled": True}))
    with faults(stack.ctx, *script):
        bulk = ok(api.http.post("/api/annotations/bulk", json={"tasks": tasks, "result": [2]}))
    with faults(stack.ctx, *script):
        items = [{"task": task, "result": [3]} for task in tasks]
        ok(api.http.post(f"/api/projects/{project}/import/predictions", json=items))
    assert {
        "total_annotations": before["total_annotations"] + 4,
        "cancelled_annotations": before["cancelled_annotations"] + 1,
        "total_predictions": before["total_predictions"] + 4,
    } == assert_consistent(stack.ctx, project)
    ids = [made, *(one["id"] for one in bulk)]
    with faults(stack.ctx, *script):
        body = {"project": project, "ids": ids}
        assert {"deleted_count": 5} == ok(api.http.post("/api/annotations/bulk-delete", json=body))
    assert before["total_annotations"] == assert_consistent(stack.ctx, project)["total_annotations"]


def test_reading_page_after_page_costs_what_is_on_them(api, stack, store, project):
    """Each task, annotation and prediction is read once, by lists in either order; the totals are not counted again."""
    imported(api, project, 60)
    queried, looked_up = [], []
    query, get_many = store.query, store.get_many
    store.query = lambda asked: (queried.append(asked), query(asked))[1]
    store.get_many = lambda refs: (looked_up.extend(refs), get_many(refs))[1]

    def page(number, **more):
        params = {"project": project, "page": number, "page_size": 20, "fields": "all", **more}
        answer = ok(api.http.get("/api/tasks/", params=params))
        assert (60, 30, 60) == (answer["total"], answer["total_annotations"], answer["total_predictions"])
        return [task["data"]["image"] for task in answer["tasks"]]

    def read(collection):
        return sum(ref.collection == collection for ref in looked_up)

    assert [f"{n:04d}" for n in range(60)] == [*page(1), *page(2), *page(3)]
    assert [20, 20, 20] == [asked.limit for asked in queried if asked.collection == "tasks"]
    assert (0, 60, 60) == (read("tasks"), read("annotations"), read("predictions"))

    backwards = {"query": json.dumps({"ordering": ["-tasks:data.image"]})}
    first = page(1, **backwards)
    queried.clear()
    looked_up.clear()
    assert [f"{n:04d}" for n in range(59, -1, -1)] == [*first, *page(2, **backwards), *page(3, **backwards)]
    assert [] == [asked for asked in queried if asked.collection == "tasks"]
    assert (40, 40, 40) == (read("tasks"), read("annotations"), read("predictions"))
