"""Full syncs of targets: what is in the bucket afterwards, what it cost, and what the status says."""

import json

from tests.flows.target_desk import RESULT, annotated, ended, refusing, requests, synced, target, until


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
    """About one in ten of 1,000 objects is refused: the sync counts exactly those, and the next one writes them."""
    project = annotated(api, 1_000)
    bucket.faults(refusing("out/[0-9]*7$"))
    storage = target(api, project, bucket, prefix="out")

    done = ended(api, storage)

    refused = 1_000 - len(bucket.keys("bucket"))
    assert 60 < refused < 140
    assert ("completed_with_errors", 1_000 - refused) == (done["status"], done["last_sync_count"])
    assert (1_000, refused) == (done["meta"]["total_annotations"], done["meta"]["objects_failed"])
    assert f"{refused} of 1000 objects could not be written" in done["traceback"]
    again = synced(api, storage)
    assert ("completed_with_errors", refused) == (again["status"], again["meta"]["objects_failed"])
    bucket.faults()
    bucket.reset()

    mended = synced(api, storage)

    assert ("completed", 1_000, None) == (mended["status"], mended["last_sync_count"], mended["traceback"])
    assert refused == mended["meta"]["objects_written"] == requests(bucket)["put"]


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


def test_saved_changed_and_deleted(api, bucket):
    """What happens to an annotation happens to its object."""
    project = annotated(api, 3)
    storage = target(api, project, bucket, prefix="out", can_delete_objects=True)
    ended(api, storage)
    task = api.http.get(f"/api/tasks?project={project}").json()["tasks"][0]["id"]

    made = api.http.post(f"/api/tasks/{task}/annotations/", json={"result": RESULT}).json()
    key = f"out/{made['id']}"
    until(lambda: bucket.get("bucket", key), 2)
    assert RESULT == json.loads(bucket.get("bucket", key))["result"]

    other = [{**RESULT[0], "value": {"choices": ["dog"]}}]
    api.http.patch(f"/api/annotations/{made['id']}", json={"result": other})
    until(lambda: json.loads(bucket.get("bucket", key))["result"] == other)

    api.http.delete(f"/api/annotations/{made['id']}")
    until(lambda: bucket.get("bucket", key) is None)
    api.http.delete(f"/api/tasks/{task}/")
    until(lambda: len(bucket.keys("bucket")) == 2)
    assert "completed" == api.http.get(storage["path"]).json()["status"]
