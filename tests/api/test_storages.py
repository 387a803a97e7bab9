"""Import storages over HTTP: shapes, life, validate, sync."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from functions import sweep
from infra.bench.s3_process import S3Server
from shared.errors import QueueUnavailableError
from shared.ports import Message
from shared.services.storages import registration
from tests.api.client import Api, words

S3_KEYS = words(
    "id type synchronizable presign last_sync last_sync_count last_sync_job status traceback meta title description "
    "created_at bucket prefix regex_filter use_blob_urls aws_sse_kms_key_id region_name s3_endpoint presign_ttl "
    "recursive_scan project s3_public_endpoint glob_filter sidecar on_changed on_deleted auto_sync sync_interval"
)
LOCAL_KEYS = words(
    "id type synchronizable path regex_filter use_blob_urls last_sync last_sync_count last_sync_job status traceback "
    "meta title description created_at recursive_scan project glob_filter sidecar on_changed on_deleted sync_interval"
)


def test_a_fresh_s3_storage(api: Api, s3: S3Server):
    project = api.project()
    made = api.s3(project, s3.endpoint, title="Pictures", region_name="eu-west-1")
    assert list(made) == S3_KEYS
    created = made.pop("created_at")
    assert created.endswith("Z")
    assert made == {
        "id": 1,
        "type": "s3",
        "synchronizable": True,
        "presign": True,
        "last_sync": None,
        "last_sync_count": None,
        "last_sync_job": None,
        "status": "initialized",
        "traceback": None,
        "meta": {},
        "title": "Pictures",
        "description": None,
        "bucket": "pictures",
        "prefix": "img",
        "sidecar": "none",
        "on_changed": "update_unannotated",
        "on_deleted": "keep",
        "sync_interval": 0,
        "regex_filter": None,
        "glob_filter": None,
        "use_blob_urls": True,
        "aws_sse_kms_key_id": None,
        "region_name": "eu-west-1",
        "s3_endpoint": s3.endpoint,
        "presign_ttl": 1,
        "recursive_scan": False,
        "project": project,
        "s3_public_endpoint": None,
        "auto_sync": False,
    }


def test_a_fresh_folder(api: Api):
    project = api.project()
    made = api.local(project)
    assert list(made) == LOCAL_KEYS
    assert (made["type"], made["status"], made["meta"]) == ("localfiles", "initialized", {})


def test_types(api: Api):
    types = api.get("/api/storages/types")
    assert types == [
        {"name": "s3", "title": "AWS S3"},
        {"name": "gcs", "title": "Google Cloud Storage"},
        {"name": "azure", "title": "Microsoft Azure"},
        {"name": "redis", "title": "Redis"},
        {"name": "localfiles", "title": "Local files"},
    ]


def test_lists_are_plain_arrays_of_the_project(api: Api, s3: S3Server):
    project, other = api.project(), api.project()
    local, bucket = api.local(project), api.s3(project, s3.endpoint)
    api.local(other)
    assert api.get(f"/api/storages/?project={project}") == [bucket, local]
    assert api.get(f"/api/storages/s3?project={project}") == [bucket]
    assert api.get(f"/api/storages/localfiles/?project={project}") == [local]
    assert api.get("/api/storages/") == api.get("/api/storages/?project=77") == []
    error = api.get("/api/storages/s3/", 400)
    assert error["validation_errors"] == {"non_field_errors": ['query parameter "project" is required']}
    for unknown in ("77", "-1", "x", "0", "1" * 40, "%00"):
        assert api.get(f"/api/storages/s3/?project={unknown}", 404)["status_code"] == 404


def test_sync_creates_tasks_and_tells(api: Api, s3: S3Server):
    storage = api.s3(api.project(), s3.endpoint)
    queued = api.post(f"/api/storages/s3/{storage['id']}/sync")
    assert list(queued) == S3_KEYS
    assert (queued["status"], queued["last_sync"], queued["last_sync_count"]) == ("queued", None, None)
    assert set(queued["meta"]) == {"attempts", "time_queued"}
    again = api.post(f"/api/storages/s3/{storage['id']}/sync")
    assert again["last_sync_job"] == queued["last_sync_job"]
    api.work()
    done = api.get(f"/api/storages/s3/{storage['id']}")
    assert (done["status"], done["last_sync_count"], done["meta"]["tasks_existed"]) == ("completed", 10, 0)
    api.post(f"/api/storages/s3/{storage['id']}/sync")
    api.work()
    second = api.get(f"/api/storages/s3/{storage['id']}/")
    assert (second["last_sync_count"], second["meta"]["tasks_existed"], second["meta"]["attempts"]) == (0, 10, 2)


def test_two_syncs_at_once_are_one_run_and_both_are_fine(api: Api):
    storage = api.local(api.project())["id"]
    for _ in range(5):
        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(lambda _: api.post(f"/api/storages/localfiles/{storage}/sync"), range(4)))
        assert len({answer["last_sync_job"] for answer in answers}) == 1
        assert {answer["status"] for answer in answers} == {"queued"}
        api.work()
    assert api.count("runs") == 5


def test_a_queue_that_cannot_be_reached_is_a_503_and_the_sync_is_not_lost(api: Api):
    def unreachable(_message: Message) -> bool:
        raise QueueUnavailableError

    storage = api.local(api.project())["id"]
    api.folder(files=2)
    enqueue, api.ctx.queue.enqueue = api.ctx.queue.enqueue, unreachable  # type: ignore[method-assign]
    answer = api.http.post(f"/api/storages/localfiles/{storage}/sync")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")
    api.ctx.queue.enqueue = enqueue  # type: ignore[method-assign]
    assert sweep.handle(api.ctx, {}, b"") == 200
    api.work()
    assert api.get(f"/api/storages/localfiles/{storage}")["last_sync_count"] == 2


def test_a_bad_connection_is_the_runs_to_report(api: Api, s3: S3Server):
    storage = api.s3(api.project(), s3.endpoint)
    s3.drop("pictures")
    assert api.post(f"/api/storages/s3/{storage['id']}/sync")["status"] == "queued"
    api.work()
    failed = api.get(f"/api/storages/s3/{storage['id']}")
    assert failed["status"] == "failed"
    assert "Cannot find bucket pictures in S3" in failed["traceback"]


def test_not_synchronizable(api: Api):
    storage = api.local(api.project(), synchronizable=False)
    error = api.post(f"/api/storages/localfiles/{storage['id']}/sync", status=400)
    assert error == {"message": f"Storage {storage['id']} is not synchronizable"}


def test_delete_keeps_the_tasks_and_ends_the_run(api: Api):
    project = api.project()
    api.folder(files=3)
    storage = api.local(project)["id"]
    api.post(f"/api/storages/localfiles/{storage}/sync")
    api.work()
    api.post(f"/api/storages/localfiles/{storage}/sync")
    api.call("DELETE", f"/api/storages/localfiles/{storage}", 204)
    api.work()
    for method in ("GET", "DELETE", "PATCH", "PUT"):
        api.call(method, f"/api/storages/localfiles/{storage}", 404)
    api.post(f"/api/storages/localfiles/{storage}/sync", status=404)
    assert api.get(f"/api/tasks/?project={project}")["total"] == 3
    assert api.ctx.runs.active(None, 10) == []


def test_a_type_answers_for_its_own_storages_only(api: Api):
    storage = api.local(api.project())["id"]
    api.get(f"/api/storages/s3/{storage}", 404)
    api.call("PATCH", f"/api/storages/s3/{storage}", 404, json={})
    api.call("DELETE", f"/api/storages/s3/{storage}", 404)
    api.get(f"/api/storages/localfiles/{storage}")


def test_a_storage_without_a_bucket_may_be_made_and_finished_later(api: Api, s3: S3Server):
    project = api.project()
    storage = api.post("/api/storages/s3/", {"project": project}, 201)
    api.post(f"/api/storages/s3/{storage['id']}/sync")
    api.work()
    assert "no bucket yet" in api.get(f"/api/storages/s3/{storage['id']}")["traceback"]
    keys = {"aws_access_key_id": "AKIDFORTESTS", "aws_secret_access_key": "s"}
    fields = {"bucket": "pictures", "s3_endpoint": s3.endpoint, "recursive_scan": True, "use_blob_urls": True}
    edited = api.call("PATCH", f"/api/storages/s3/{storage['id']}", json={**fields, **keys})
    assert (edited["type"], edited["status"], edited["traceback"]) == ("s3", "initialized", None)
    api.post(f"/api/storages/s3/{storage['id']}/sync")
    api.work()
    assert api.get(f"/api/storages/s3/{storage['id']}")["last_sync_count"] == 12


def test_forms_are_taken_too(api: Api):
    project = api.project()
    fields = {"project": str(project), "path": api.folder(), "use_blob_urls": "true", "title": "é & ü"}
    made = api.post("/api/storages/localfiles", data=fields, status=201)
    assert (made["project"], made["use_blob_urls"], made["title"]) == (project, True, "é & ü")


def test_a_project_has_a_limited_number_of_storages(api: Api, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(registration, "MAX_STORAGES", 2)
    project = api.project()
    api.local(project)
    api.local(project)
    assert "2 storages" in api.local(project, 400)["validation_errors"]["project"][0]


class TestValidate:
    def test_good_settings_answer_200_with_nothing_in_it(self, api: Api, s3: S3Server):
        fields = {"project": api.project(), "bucket": "pictures", "prefix": "img", "s3_endpoint": s3.endpoint}
        keys = {"aws_access_key_id": "AKIDFORTESTS", "aws_secret_access_key": "s"}
        answer = api.http.post("/api/storages/s3/validate", json={**fields, **keys})
        assert (answer.status_code, answer.content, answer.headers.get("content-type")) == (200, b"", None)
        assert api.count("storages") == 0

    def test_a_stored_storage_lends_what_is_missing_and_is_not_changed(self, api: Api, s3: S3Server):
        s3.access("AKIDFORTESTS")
        project = api.project()
        storage = api.s3(project, s3.endpoint, presign=False)
        body = {"id": storage["id"], "project": project, "bucket": "pictures", "prefix": "rows"}
        api.post("/api/storages/s3/validate", body)
        api.post("/api/storages/s3/validate", {**body, "aws_access_key_id": "", "aws_secret_access_key": None})
        error = api.post("/api/storages/s3/validate", {**body, "prefix": "nothing"}, 400)
        assert error["validation_errors"] == {"non_field_errors": ["s3://pictures/nothing/ not found."]}
        assert api.get(f"/api/storages/s3/{storage['id']}") == storage

    def test_project_and_id_are_checked(self, api: Api, s3: S3Server):
        project = api.project()
        storage = api.s3(project, s3.endpoint)
        named = api.post("/api/storages/s3/validate", {"bucket": "pictures"}, 400)["validation_errors"]
        assert named == {"project": ["This field is required."]}
        for bad in (True, -1, "x", [1], 1.5, "\uff11"):
            error = api.post("/api/storages/s3/validate", {"project": project, "id": bad}, 400)
            assert "id" in error["validation_errors"]
        api.post("/api/storages/s3/validate", {"project": project, "id": 999}, 404)
        other = api.project()
        error = api.post("/api/storages/s3/validate", {"project": other, "id": storage["id"]}, 400)
        assert "another project" in error["validation_errors"]["project"][0]
