"""Full syncs of targets: what is in the bucket afterwards, what it cost, and what the status says."""

import json
import threading

import pytest

RESULT = [{"from_name": "ch", "to_name": "img", "type": "choices", "value": {"choices": ["cat"]}}]


@pytest.fixture
def bucket(s3):
    s3.reset(everything=True)
    s3.bucket("bucket")
    return s3


def annotated(api, tasks, per_task=1):
    """A project with so many annotated tasks."""
    project = api.project()
    rows = [
        {
            "data": {"image": f"s3://x/{number}.jpg"},
            "annotations": [{"result": RESULT, "lead_time": float(place)} for place in range(per_task)],
        }
        for number in range(tasks)
    ]
    answer = api.http.post(f"/api/projects/{project}/import", json=rows)
    assert (201, tasks * per_task) == (answer.status_code, answer.json()["annotation_count"])
    return project


def target(api, project, s3, **settings):
    keys = {"aws_access_key_id": "key", "aws_secret_access_key": "secret", "s3_endpoint": s3.endpoint}
    answer = api.http.post("/api/storages/export/s3", json={"project": project, "bucket": "bucket", **keys, **settings})
    assert answer.status_code == 201, answer.text
    return {**answer.json(), "path": f"/api/storages/export/s3/{answer.json()['id']}"}


def ended(api, storage):
    return api.wait({"type": "export/s3", "id": storage["id"]})


def test_a_new_target_is_filled(api, bucket):
    project = annotated(api, 450)
    storage = target(api, project, bucket, prefix="out")

    done = ended(api, storage)

    assert ("completed", 450, None) == (done["status"], done["last_sync_count"], done["traceback"])
    tasks = {
        task["id"]: task
        for task in api.http.get(f"/api/tasks?project={project}&page_size=1000&fields=all").json()["tasks"]
    }
    wanted = {f"out/{a['id']}": a for task in tasks.values() for a in task["annotations"]}
    assert sorted(wanted) == bucket.keys("bucket")
    key, annotation = next(iter(wanted.items()))
    body = json.loads(bucket.get("bucket", key))
    assert annotation["result"] == body["result"]
    assert annotation["task"] == body["task"]["id"]
    assert {"image"} == set(body["task"]["data"])


def synced(api, storage):
    answer = api.http.post(f"{storage['path']}/sync")
    assert 200 == answer.status_code, answer.text
    return ended(api, storage)


def requests(s3):
    """Requests since the last reset, by kind, without those that only look for a bucket."""
    return {
        name: count for name, count in s3.stats()["ops"].items() if name in {"put", "delete", "get", "head", "list"}
    }


def test_nothing_changed_so_nothing_is_written(api, bucket):
    """The second sync lists the bucket once, page by page, and asks for no object."""
    project = annotated(api, 450)
    storage = target(api, project, bucket, prefix="out")
    ended(api, storage)
    bucket.reset()

    done = synced(api, storage)

    assert ("completed", 450) == (done["status"], done["last_sync_count"])
    assert (0, 450) == (done["meta"]["objects_written"], done["meta"]["objects_unchanged"])
    told = requests(bucket)
    assert not told.keys() & {"put", "delete", "get", "head"}
    assert told["list"] <= 8


def test_what_is_missing_or_differs_is_written_again(api, bucket):
    project = annotated(api, 300)
    storage = target(api, project, bucket, prefix="out")
    ended(api, storage)
    keys = bucket.keys("bucket")
    bucket.delete("bucket", *keys[:7])
    for key in keys[10:15]:
        bucket.put("bucket", key, b"somebody else's")
    bucket.put("bucket", "out/stranger", b"nobody's")
    bucket.reset()

    done = synced(api, storage)

    assert ("completed", 300, 12) == (done["status"], done["last_sync_count"], done["meta"]["objects_written"])
    assert sorted([*keys, "out/stranger"]) == bucket.keys("bucket")
    assert all(b'"result"' in bucket.get("bucket", key) for key in keys[:20])
    assert 0 == synced(api, storage)["meta"]["objects_written"]


def test_refused_writes_are_failures(api, bucket):
    """Every tenth object is refused: the sync says so, and the next one writes exactly those."""
    project = annotated(api, 300)
    bucket.faults(refusing("out/[0-9]*7$"))
    storage = target(api, project, bucket, prefix="out")

    done = ended(api, storage)

    refused = 300 - len(bucket.keys("bucket"))
    assert 0 < refused < 100
    assert ("completed_with_errors", 300 - refused) == (done["status"], done["last_sync_count"])
    assert refused == done["meta"]["objects_failed"]
    assert f"{refused} of 300 objects could not be written" in done["traceback"]
    bucket.faults()
    bucket.reset()
    done = synced(api, storage)
    assert ("completed", 300, refused, None) == (
        done["status"],
        done["last_sync_count"],
        done["meta"]["objects_written"],
        done["traceback"],
    )
    assert refused == requests(bucket)["put"]


def test_where_nothing_can_be_written_the_sync_failed(api, bucket):
    project = annotated(api, 50)
    storage = target(api, project, bucket, prefix="out")
    ended(api, storage)
    bucket.drop("bucket")
    bucket.bucket("bucket")
    bucket.faults(refusing())

    done = synced(api, storage)

    assert ("failed", 0) == (done["status"], done["last_sync_count"])
    assert "s3:PutObject" in done["traceback"]
    bucket.faults()
    assert ("completed", 50) == (synced(api, storage)["status"], len(bucket.keys("bucket")))


def refusing(key=""):
    """A rule of the server: writes of these keys are not allowed."""
    said = {"status": 403, "code": "AccessDenied", "message": "Access Denied"}
    return {"action": "status", "op": "put", "key": key, "count": -1, **said}


def appears(s3, key, seconds=10):
    """The object, once it is there."""
    tick = threading.Event()
    for _ in range(int(seconds / 0.02)):
        body = s3.get("bucket", key)
        if body is not None:
            return json.loads(body)
        tick.wait(0.02)
    raise AssertionError(f"no {key} after {seconds} s: {s3.keys('bucket')}")


def until(condition, seconds=10):
    tick = threading.Event()
    for _ in range(int(seconds / 0.02)):
        if condition():
            return
        tick.wait(0.02)
    raise AssertionError(f"not after {seconds} s")


def test_saved_changed_and_deleted(api, bucket):
    """What happens to an annotation happens to its object."""
    project = annotated(api, 3)
    storage = target(api, project, bucket, prefix="out", can_delete_objects=True)
    ended(api, storage)
    task = api.http.get(f"/api/tasks?project={project}").json()["tasks"][0]["id"]

    made = api.http.post(f"/api/tasks/{task}/annotations/", json={"result": RESULT}).json()
    key = f"out/{made['id']}"
    assert RESULT == appears(bucket, key)["result"]

    other = [{**RESULT[0], "value": {"choices": ["dog"]}}]
    api.http.patch(f"/api/annotations/{made['id']}", json={"result": other})
    until(lambda: json.loads(bucket.get("bucket", key))["result"] == other)

    api.http.delete(f"/api/annotations/{made['id']}")
    until(lambda: bucket.get("bucket", key) is None)
    api.http.delete(f"/api/tasks/{task}/")
    until(lambda: len(bucket.keys("bucket")) == 2)
    assert "completed" == api.http.get(storage["path"]).json()["status"]
