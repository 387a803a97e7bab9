"""File mode: rows, broken rows, broken files, changed files, and objects that are no files of tasks."""

import json

import pytest

from shared.services.context import QUEUE_RUNS


@pytest.fixture
def project(api):
    return api.project()


@pytest.fixture
def storage(api, s3, project):
    s3.drop("files")
    s3.bucket("files")
    return api.s3_storage(project, s3.endpoint, bucket="files", use_blob_urls=False)


def lines(rows):
    return "\n".join(json.dumps({"data": row}) for row in rows)


def texts(api, project):
    return [task["data"]["text"] for task in api.tasks(project)]


def synced(api, storage):
    api.sync(storage)
    return api.wait(storage)


def test_broken_lines(api, s3, project, storage):
    """10,000 rows with three broken lines: the others become tasks, the broken ones are told by line and reason."""
    rows = [json.dumps({"data": {"text": f"row {number}"}}) for number in range(10_000)]
    for number in (10, 5_000, 9_999):
        rows[number] = '{"data": {"text": "broken'
    s3.put("files", "rows.jsonl", "\n".join(rows))

    ended = synced(api, storage)

    assert ("completed_with_errors", 9_997) == (ended["status"], ended["last_sync_count"])
    assert 3 == ended["meta"]["tasks_failed_validation"]
    for line in (11, 5_001, 10_000):
        assert f"rows.jsonl, line {line}: " in ended["traceback"]
    assert 9_997 == api.total(project)
    again = synced(api, storage)
    assert ("completed_with_errors", 0, 9_997) == (
        again["status"],
        again["last_sync_count"],
        again["meta"]["tasks_existed"],
    )


def test_one_bad_file_does_not_stop_the_others(api, s3, project, storage):
    """The incumbent stops at the first unreadable file; here it is one failed object."""
    s3.put("files", "a.json", "{nonsense")
    s3.put("files", "b.png", b"\x89PNG\r\n")
    s3.put("files", "c.json", '{"data": {"text": "good"}}')
    s3.put("files", "d.json", "[]")

    ended = synced(api, storage)

    assert ("completed_with_errors", 1) == (ended["status"], ended["last_sync_count"])
    assert 2 == ended["meta"]["objects_failed"]
    assert 2 == ended["meta"]["objects_imported"]
    assert "a.json: " in ended["traceback"]
    assert "b.png: " in ended["traceback"]
    assert "use_blob_urls" in ended["traceback"]
    assert ["good"] == texts(api, project)


def test_failures_that_cannot_pass_are_not_read_again(api, s3, storage):
    """A broken file is read once, until it changes; then it is imported."""
    s3.put("files", "a.json", "{nonsense")
    synced(api, storage)
    s3.reset()

    again = synced(api, storage)

    assert "completed_with_errors" == again["status"]
    assert 0 == s3.stats()["ops"].get("get", 0)
    s3.put("files", "a.json", '{"data": {"text": "mended"}}')
    mended = synced(api, storage)
    assert ("completed", 1, None) == (mended["status"], mended["last_sync_count"], mended["traceback"])


def test_a_truncated_array_is_finished_when_it_is_mended(api, s3, project, storage):
    """Field defect: rows behind the break were never imported, whatever one did. Here they are, once."""
    s3.put("files", "a.json", '[{"data": {"text": "1"}}, {"data": {"text": "2"}}, {"da')
    broken = synced(api, storage)
    assert ("completed_with_errors", ["1", "2"]) == (broken["status"], texts(api, project))
    s3.put("files", "a.json", '[{"data": {"text": "1"}}, {"data": {"text": "2"}}, {"data": {"text": "3"}}]')

    mended = synced(api, storage)

    assert ("completed", 1) == (mended["status"], mended["last_sync_count"])
    assert ["1", "2", "3"] == texts(api, project)


def test_a_changed_file_updates_its_task(api, s3, project, storage):
    """One object, one task: its content follows the file."""
    s3.put("files", "a.json", '{"data": {"text": "old"}}')
    synced(api, storage)
    task = api.tasks(project)[0]["id"]
    s3.put("files", "a.json", '{"data": {"text": "new"}}')

    ended = synced(api, storage)

    assert ("completed", 0, 1) == (ended["status"], ended["last_sync_count"], ended["meta"]["tasks_updated"])
    assert [(task, "new")] == [(one["id"], one["data"]["text"]) for one in api.tasks(project)]


def test_a_row_put_on_top_moves_the_others(api, s3, project, storage):
    """Rows are known by their content: the ten old rows keep their tasks, one task is new."""
    rows = [{"text": f"row {number}"} for number in range(10)]
    s3.put("files", "rows.jsonl", lines(rows))
    synced(api, storage)
    before = {task["data"]["text"]: task["id"] for task in api.tasks(project)}
    s3.put("files", "rows.jsonl", lines([{"text": "first"}, *rows]))

    ended = synced(api, storage)

    after = {task["data"]["text"]: task["id"] for task in api.tasks(project)}
    assert ("completed", 1) == (ended["status"], ended["last_sync_count"])
    assert before == {text: number for text, number in after.items() if text != "first"}
    assert ["first", *(row["text"] for row in rows)] == texts(api, project)


def test_annotated_rows_are_never_rewritten(api, s3, project, storage):
    """Row 3 is annotated, and changes in the file: its task stays as it was, marked; the new content is a new task."""
    rows = [{"text": f"row {number}"} for number in range(5)]
    annotated = {"data": rows[3], "annotations": [{"result": []}]}
    body = [json.dumps({"data": row}) for row in rows]
    body[3] = json.dumps(annotated)
    s3.put("files", "rows.jsonl", "\n".join(body))
    synced(api, storage)
    body[3] = json.dumps({"data": {"text": "rewritten"}})
    s3.put("files", "rows.jsonl", "\n".join(body))

    ended = synced(api, storage)

    assert ("completed", 1) == (ended["status"], ended["last_sync_count"])
    assert sorted([*(row["text"] for row in rows), "rewritten"]) == sorted(texts(api, project))


def test_content_of_a_task_file(api, s3, project, storage):
    """Data, predictions, annotations, meta; shapes a document store would refuse; a BOM."""
    task = {
        "data": {"text": "t", "polygon": [[[1, 2], [3, 4]]], "__x__": {"": None}, "deep": {"a": {"b": {"c": [1]}}}},
        "predictions": [{"result": [{"value": 1}], "score": 0.5, "model_version": "m"}],
        "annotations": [{"result": [], "was_cancelled": True}, {"result": [{"value": 2}]}],
        "meta": {"source": "test"},
    }
    s3.put("files", "a.json", b"\xef\xbb\xbf" + json.dumps(task).encode())

    ended = synced(api, storage)

    assert ("completed", 1) == (ended["status"], ended["last_sync_count"])
    number = api.tasks(project)[0]["id"]
    got = api.http.get(f"/api/tasks/{number}/").json()
    assert task["data"] == got["data"]
    assert {"source": "test"} == got["meta"]
    assert (1, 1, 1) == (got["total_annotations"], got["cancelled_annotations"], got["total_predictions"])
    assert 0.5 == got["predictions"][0]["score"]


def test_an_object_overwritten_between_listing_and_reading(api, s3, project, storage):
    """The read is pinned to the listed version: what is imported is what is there, as the version it is."""
    s3.put("files", "a.json", '{"data": {"text": "old"}}')
    s3.faults({"op": "list", "action": "mutate", "target": "a.json", "body": '{"data": {"text": "new"}}'})

    ended = synced(api, storage)

    s3.faults()
    assert ("completed", 1) == (ended["status"], ended["last_sync_count"])
    assert ["new"] == texts(api, project)
    s3.reset()
    assert ("completed", 0) == ((again := synced(api, storage))["status"], again["last_sync_count"])
    assert 0 == s3.stats()["ops"].get("get", 0)


def test_an_object_that_is_gone_when_it_is_read(api, s3, project, storage, stack):
    """Listed, then deleted: a failed entry that the next sync forgets."""
    s3.put("files", "a.json", '{"data": {"text": "a"}}')
    s3.put("files", "b.json", '{"data": {"text": "b"}}')
    s3.faults({"op": "get", "key": "a.json", "action": "status", "status": 404, "code": "NoSuchKey", "count": -1})

    ended = synced(api, storage)

    s3.faults()
    assert ("completed_with_errors", ["b"]) == (ended["status"], texts(api, project))
    s3.delete("files", "a.json")
    assert "completed" == synced(api, storage)["status"]
    assert stack.ctx.queue.state(QUEUE_RUNS, "x").absent


def test_throttling_is_waited_out(api, s3, project, storage):
    """503s are no failure: the chunk is put off and the sync completes."""
    for number in range(20):
        s3.put("files", f"{number:02}.json", json.dumps({"data": {"text": str(number)}}))
    s3.faults({"op": "get", "action": "status", "status": 503, "code": "SlowDown", "count": 12})

    ended = synced(api, storage)

    s3.faults()
    assert ("completed", 20) == (ended["status"], ended["last_sync_count"])


def test_a_permanent_fault_fails_the_run_with_a_reason(api, s3, project, storage):
    """The bucket vanishes: failed at once, with a sentence; once it is back the next sync completes."""
    s3.put("files", "a.json", '{"data": {"text": "a"}}')
    s3.drop("files")

    ended = synced(api, storage)

    assert "failed" == ended["status"]
    assert "Cannot find bucket files" in ended["traceback"]
    s3.put("files", "a.json", '{"data": {"text": "a"}}')
    assert ("completed", None) == ((again := synced(api, storage))["status"], again["traceback"])


def test_an_object_that_may_not_be_read_where_only_a_prefix_may_be_listed(api, s3, project):
    """It is one failed object: that the bucket is well is seen where it may be looked at."""
    s3.drop("files")
    s3.put("files", "img/a.json", '{"text": "a"}')
    s3.put("files", "img/b.json", '{"text": "b"}')
    denied = {"action": "status", "status": 403, "code": "AccessDenied", "message": "Access Denied", "count": -1}
    s3.faults(denied | {"op": "list", "key": "^$"}, denied | {"op": "get", "key": "a.json"})
    storage = api.s3_storage(project, s3.endpoint, bucket="files", prefix="img", use_blob_urls=False)

    ended = synced(api, storage)

    s3.faults()
    assert ("completed_with_errors", 1) == (ended["status"], ended["last_sync_count"])
    assert "img/a.json: it may be listed but not read" in ended["traceback"]
    assert ["b"] == texts(api, project)


def test_a_changed_file_whose_reading_failed_once_is_still_changed(api, s3, project, storage):
    """The new version could not be read; once it can, its content is what counts."""
    s3.put("files", "a.json", '{"data": {"text": "old"}}')
    synced(api, storage)
    s3.put("files", "a.json", '{"data": {"text": "new"}}')
    s3.faults({"op": "get", "key": "a.json", "action": "status", "status": 404, "code": "NoSuchKey", "count": -1})
    assert ("completed_with_errors", ["old"]) == (synced(api, storage)["status"], texts(api, project))
    s3.faults()

    ended = synced(api, storage)

    assert ("completed", ["new"]) == (ended["status"], texts(api, project))


def test_a_file_that_goes_while_it_is_streamed(api, s3, project, storage):
    """What was made of it is remembered: when it is back the rest arrives, and a later change is aligned with all."""
    rows = [{"text": f"row {number}", "pad": "x" * 400} for number in range(8_000)]
    s3.put("files", "rows.jsonl", lines(rows))
    gone = {"op": "get", "key": "rows", "action": "status", "status": 404, "code": "NoSuchKey"}
    s3.faults(gone | {"skip": 1, "count": -1})
    broken = synced(api, storage)
    s3.faults()
    made = broken["last_sync_count"]
    assert ("completed_with_errors", made) == (broken["status"], api.total(project))
    assert 0 < made < len(rows)
    assert 0 == broken["meta"]["tasks_existed"]

    ended = synced(api, storage)

    assert ("completed", len(rows) - made) == (ended["status"], ended["last_sync_count"])
    assert made == ended["meta"]["tasks_existed"]
    rows[0] = {"text": "another first row"}
    s3.put("files", "rows.jsonl", lines(rows))
    changed = synced(api, storage)
    assert ("completed", 0, 1) == (changed["status"], changed["last_sync_count"], changed["meta"]["tasks_updated"])
    assert len(rows) == api.total(project)


@pytest.mark.parametrize("stack", [{"max_rows_to_align": 2}], indirect=True)
def test_a_changed_file_with_too_many_rows_is_read_once(api, s3, project, storage):
    """It is told and left as it is, and not read again at every sync."""
    s3.put("files", "rows.jsonl", lines([{"text": f"{number}"} for number in range(5)]))
    synced(api, storage)
    s3.put("files", "rows.jsonl", lines([{"text": f"new {number}"} for number in range(5)]))
    assert "too many to compare" in synced(api, storage)["traceback"]
    s3.reset()

    again = synced(api, storage)

    assert "completed_with_errors" == again["status"]
    assert 0 == s3.stats()["ops"].get("get", 0)
    assert 5 == api.total(project)
