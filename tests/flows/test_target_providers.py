"""Every provider on a real server of its protocol, in both formats: saved, changed and deleted within two seconds."""

import json

import pytest

from infra import local
from tests.emulators_buckets import azure_emulator, redis_emulator
from tests.flows.outlets import outlet
from tests.flows.target_desk import RESULT, annotated, ended, until

__all__ = ["azure_emulator", "outlet", "redis_emulator"]
SOON = 2.0
DOG = [{**RESULT[0], "value": {"choices": ["dog"]}}]
FORMATS = ["annotation", "task"]


@pytest.fixture
def stack(tmp_path, gcs):
    with local.running(
        tmp_path / "data", files_root=tmp_path, storage_emulator_host=gcs.address, sweep_interval=3600
    ) as running:
        yield running


def opened(api, project, outlet, **settings):
    """A target in the outlet, once its first sync is over; and what its keys start with."""
    folder = {outlet.folder: "out"} if outlet.folder else {}
    path = f"/api/storages/export/{outlet.type}"
    answer = api.http.post(path, json={"project": project, **outlet.fields, **folder, **settings})
    assert 201 == answer.status_code, answer.text
    storage = {**answer.json(), "path": f"{path}/{answer.json()['id']}"}
    done = ended(api, storage)
    assert "completed" == done["status"], done
    prefix = {"redis": "out", "": ""}.get(outlet.type if outlet.type == "redis" else outlet.folder, "out/")
    return storage, prefix


def task_of(api, project, place=0):
    found = api.http.get(f"/api/tasks?project={project}&fields=all").json()["tasks"]
    return found[place]


def read(outlet, key):
    body = outlet.get(key)
    return None if body is None else json.loads(body)


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("deletes", [True, False], ids=["deletes", "keeps"])
def test_saved_changed_deleted(api, outlet, format, deletes):  # noqa: A002
    """What happens to an annotation happens to its object; whether it goes is a setting."""
    project = annotated(api, 4)
    _, prefix = opened(api, project, outlet, export_format=format, can_delete_objects=deletes)
    assert 4 == len(outlet.keys())
    task = task_of(api, project)
    first = task["annotations"][0]["id"]

    made = api.http.post(f"/api/tasks/{task['id']}/annotations/", json={"result": RESULT}).json()["id"]
    key = f"{prefix}{made}" if format == "annotation" else f"{prefix}{task['id']}.json"

    def said():
        body = read(outlet, key)
        if body is None or format == "annotation":
            return body and [body["result"]]
        return [one["result"] for one in body["annotations"]]

    before = [] if format == "annotation" else [RESULT]
    until(lambda: said() == [*before, RESULT], SOON)
    api.http.patch(f"/api/annotations/{made}", json={"result": DOG})
    until(lambda: said() == [*before, DOG], SOON)

    api.http.delete(f"/api/annotations/{made}")
    if format == "task":
        until(lambda: said() == [RESULT], SOON)
        api.http.delete(f"/api/annotations/{first}")
    sentinel = task_of(api, project, 1)
    api.http.patch(f"/api/annotations/{sentinel['annotations'][0]['id']}", json={"result": DOG})
    other = sentinel["id"] if format == "task" else sentinel["annotations"][0]["id"]
    other = f"{prefix}{other}.json" if format == "task" else f"{prefix}{other}"
    until(lambda: "dog" in json.dumps(read(outlet, other)), SOON)
    if deletes:
        until(lambda: outlet.get(key) is None, SOON)
    else:
        assert outlet.get(key) is not None


def test_an_annotation_as_label_studio_writes_it(api, outlet):
    """All its fields, and the task in it."""
    project = annotated(api, 1)
    _, prefix = opened(api, project, outlet)
    task = task_of(api, project)
    stored = api.http.get(f"/api/annotations/{task['annotations'][0]['id']}").json()

    key = f"{prefix}{stored['id']}"
    body = read(outlet, key)

    within = body.pop("task")
    assert {name: within[name] for name in ("id", "data", "meta", "project")} == {
        "id": task["id"],
        "data": {"image": "s3://x/0.jpg"},
        "meta": {},
        "project": project,
    }
    assert TASK_FIELDS | {"is_labeled", "overlap", "precomputed_agreement", "file_upload"} == set(within)
    assert ANNOTATION_FIELDS | {"created_username", "created_ago"} == set(body)
    same = ANNOTATION_FIELDS - {"completed_by"}
    assert {name: stored[name] for name in same} == {name: body[name] for name in same}
    assert outlet.content_type(key) in {"application/json", ""}


def test_a_task_as_label_studio_writes_it(api, outlet):
    """With all its annotations."""
    project = annotated(api, 1, per_task=2)
    _, prefix = opened(api, project, outlet, export_format="task")
    task = task_of(api, project)

    key = f"{prefix}{task['id']}.json"
    body = read(outlet, key)

    made = body.pop("annotations")
    assert TASK_FIELDS | {"drafts", "predictions"} == set(body)
    assert ({"image": "s3://x/0.jpg"}, 2, project) == (body["data"], body["total_annotations"], body["project"])
    for one in made:
        assert ANNOTATION_FIELDS | {"prediction", "result_count", "unique_id", "task"} == set(one)
        assert (RESULT, task["id"], 1) == (one["result"], one["task"], one["result_count"])
    assert outlet.content_type(key) in {"application/json", ""}


ANNOTATION_FIELDS = {
    *("id", "result", "completed_by", "was_cancelled", "ground_truth", "created_at", "updated_at"),
    *("draft_created_at", "lead_time", "import_id", "last_action", "bulk_created", "project", "updated_by"),
    *("parent_prediction", "parent_annotation", "last_created_by"),
}
TASK_FIELDS = {
    *("id", "data", "meta", "created_at", "updated_at", "allow_skip", "inner_id", "total_annotations"),
    *("cancelled_annotations", "total_predictions", "comment_count", "unresolved_comment_count"),
    *("last_comment_updated_at", "project", "updated_by", "comment_authors"),
}


@pytest.mark.parametrize("kms", ["", "arn:aws:kms:eu-west-1:1:key/k"])
def test_encryption_on_s3(api, s3, kms):
    """With a key, or else with AES256 if that is asked for."""
    s3.reset(everything=True)
    s3.bucket("bucket")
    project = annotated(api, 1)
    fields = {"project": project, "bucket": "bucket", "s3_endpoint": s3.endpoint}
    fields |= {"aws_access_key_id": "key", "aws_secret_access_key": "secret"}
    fields |= {"aws_sse_kms_key_id": kms} if kms else {"aws_sse": True}
    answer = api.http.post("/api/storages/export/s3", json=fields)
    assert 201 == answer.status_code, answer.text
    ended(api, {**answer.json(), "path": f"/api/storages/export/s3/{answer.json()['id']}"})

    about = {name.lower(): value for name, value in s3.about("bucket", s3.keys("bucket")[0]).items()}

    told = {name: value for name, value in about.items() if "server-side" in name or "encryption" in name}
    assert ("aws:kms" if kms else "AES256") in told.values()
    assert not kms or kms in told.values()


def test_encryption_on_gcs(api, gcs):
    """With the customer's key."""
    gcs.reset(everything=True)
    gcs.bucket("bucket")
    project = annotated(api, 1)
    key = "projects/p/locations/eu/keyRings/r/cryptoKeys/k"
    fields = {"project": project, "bucket": "bucket", "google_kms_key_name": key}
    answer = api.http.post("/api/storages/export/gcs", json=fields)
    assert 201 == answer.status_code, answer.text
    ended(api, {**answer.json(), "path": f"/api/storages/export/gcs/{answer.json()['id']}"})

    assert any(key in value for value in gcs.about("bucket", gcs.keys("bucket")[0]).values())
