"""Editing storages: what touches a sync under way, what does not, and what becomes of the ledger."""

import threading
from contextlib import suppress
from typing import Any, ClassVar

import pytest

from infra.bench.s3_process import S3Server
from shared.errors import CommitRefusedError, CommitUnknownError
from shared.model.providers import PROVIDERS
from shared.model.run import Permit
from shared.services.accounts import users
from shared.services.storages import editing, registration
from shared.services.sync.syncing import run_permit
from shared.services.trash import collect_trash
from tests.api.client import Api


def edit(api: Api, storage: dict[str, Any], status: int = 200, **fields: Any) -> Any:
    return api.call("PATCH", f"/api/storages/{storage['type']}/{storage['id']}", status, json=fields)


def sync(api: Api, storage: dict[str, Any]) -> Any:
    return api.post(f"/api/storages/{storage['type']}/{storage['id']}/sync")


def shown(api: Api, storage: dict[str, Any]) -> Any:
    return api.get(f"/api/storages/{storage['type']}/{storage['id']}")


def test_patch_keeps_and_put_resets_what_is_not_given(api: Api, s3: S3Server):
    s3.access("AKIDFORTESTS")
    storage = api.s3(api.project(), s3.endpoint, title="One", description="Words", presign_ttl=7)
    assert edit(api, storage, title="Two") == {**storage, "title": "Two"}
    body = {"project": storage["project"], "bucket": "pictures", "s3_endpoint": s3.endpoint, "title": "Three"}
    put = api.call("PUT", f"/api/storages/s3/{storage['id']}", json=body)
    gone = {"description": None, "presign_ttl": 1, "prefix": None, "use_blob_urls": False}
    assert put == {**storage, "title": "Three", **gone}  # and the stored credentials still open the bucket


def test_labels_leave_the_gate_and_the_run_alone_and_need_no_bucket(api: Api, s3: S3Server):
    storage = api.s3(api.project(), s3.endpoint)
    job = sync(api, storage)["last_sync_job"]
    gate = api.ctx.gates.get(storage["id"])
    s3.drop("pictures")
    after = edit(api, storage, title="New", description="New", presign=False, presign_ttl=3, synchronizable=False)
    assert (after["status"], after["last_sync_job"], after["title"]) == ("queued", job, "New")
    assert api.ctx.gates.get(storage["id"]) == gate


def test_an_edit_of_the_shape_ends_the_run_and_starts_another(api: Api, s3: S3Server):
    storage = api.s3(api.project(), s3.endpoint)
    job = sync(api, storage)["last_sync_job"]
    before = api.ctx.gates.get(storage["id"]).value
    after = edit(api, storage, prefix="rows")
    gate = api.ctx.gates.get(storage["id"]).value
    assert (after["status"], after["meta"]["attempts"]) == ("queued", 2)
    assert after["last_sync_job"] not in (job, None)
    assert (gate.map, gate.location) == (before.map, before.location)
    assert gate.shape != before.shape
    ended = api.ctx.runs.get(job).value
    assert (ended.active, ended.outcome, ended.traceback) == (False, "cancelled", editing.EDITED)
    api.work()
    done = shown(api, storage)
    assert (done["status"], done["last_sync_count"], done["traceback"]) == ("completed", 2, None)


def test_if_nobody_starts_another_the_storage_says_what_happened(api: Api, s3: S3Server, monkeypatch):
    storage = api.s3(api.project(), s3.endpoint)
    sync(api, storage)
    monkeypatch.setattr("shared.services.sync.runs.start_run", lambda *_: "")
    after = edit(api, storage, prefix="rows")
    assert (after["status"], after["traceback"], after["prefix"]) == ("failed", editing.EDITED, "rows")


def test_another_bucket_is_another_ledger(api: Api, s3: S3Server):
    s3.fill("others", 3, prefix="img/")
    storage = api.s3(api.project(), s3.endpoint)
    sync(api, storage)
    api.work()
    before = api.ctx.gates.get(storage["id"]).value
    after = edit(api, storage, bucket="others")
    assert (after["status"], after["last_sync"], after["last_sync_count"]) == ("initialized", None, None)
    gate = api.ctx.gates.get(storage["id"]).value
    assert gate.map != before.map
    assert {chunk.value.map for chunk in api.ctx.chunks.find()} == {before.map, gate.map}
    collect_trash(api.ctx, 100)
    assert {chunk.value.map for chunk in api.ctx.chunks.find()} == {gate.map}
    assert api.count("ledgers") == api.count("trash") == 0
    sync(api, storage)
    api.work()
    done = shown(api, storage)
    assert (done["status"], done["last_sync_count"], done["meta"]["attempts"]) == ("completed", 3, 2)
    assert api.get(f"/api/tasks/?project={storage['project']}")["total"] == 13


def test_a_late_worker_of_the_ended_run_changes_nothing(api: Api, s3: S3Server):
    s3.fill("others", 3, prefix="img/")
    storage = api.s3(api.project(), s3.endpoint)
    job = sync(api, storage)["last_sync_job"]
    edit(api, storage, bucket="others")
    run_permit(api.ctx, Permit(storage=storage["id"], ticket=1, run=job))
    assert api.count("tasks") == 0
    api.work()
    assert shown(api, storage)["last_sync_count"] == 3


def test_credentials_are_kept_replaced_and_blanked(api: Api, s3: S3Server):
    storage = api.s3(api.project(), s3.endpoint)
    s3.access("AKIDFORTESTS")
    edit(api, storage, prefix="rows")
    s3.access("ANOTHERKEY")
    edit(api, storage, prefix="img", status=400)
    edit(api, storage, prefix="img", aws_access_key_id="ANOTHERKEY")
    edit(api, storage, aws_session_token="")
    stored = api.ctx.storages.get(storage["id"]).value
    assert api.ctx.vault.open(stored.secrets) == {
        "aws_access_key_id": "ANOTHERKEY",
        "aws_secret_access_key": "a-secret-for-tests",
    }


class TestAnotherEndpoint:
    """Stored credentials never go to a host they were not entered for."""

    KEYS: ClassVar = {"aws_access_key_id": "AKIDFORTESTS", "aws_secret_access_key": "a-secret-for-tests"}

    def test_needs_the_credentials_again(self, api: Api, s3: S3Server):
        storage = api.s3(api.project(), s3.endpoint)
        elsewhere = s3.endpoint.replace("127.0.0.1", "localhost")
        asked = s3.stats()["ops"]
        for fields in ({}, {"aws_access_key_id": "AKIDFORTESTS"}):
            error = edit(api, storage, 400, s3_endpoint=elsewhere, **fields)
            assert "aws_secret_access_key again" in error["validation_errors"]["s3_endpoint"][0]
        body = {"id": storage["id"], "project": storage["project"], "s3_endpoint": elsewhere}
        api.post("/api/storages/s3/validate", body, 400)
        blank = dict.fromkeys(self.KEYS, "")
        api.post("/api/storages/s3/validate", {**body, **blank}, 400)
        put = {"project": storage["project"], "bucket": "pictures"}  # the endpoint falls back to Amazon's
        api.call("PUT", f"/api/storages/s3/{storage['id']}", 400, json=put)
        assert s3.stats()["ops"] == asked

        api.post("/api/storages/s3/validate", {**body, **self.KEYS})
        assert edit(api, storage, s3_endpoint=elsewhere, **self.KEYS)["s3_endpoint"] == elsewhere

    def test_a_slash_is_not_another_host(self, api: Api, s3: S3Server):
        storage = api.s3(api.project(), s3.endpoint)
        edit(api, storage, s3_endpoint=s3.endpoint + "/")


def test_a_storage_stays_in_its_project(api: Api):
    storage = api.local(api.project())
    assert edit(api, storage, project=storage["project"]) == storage
    error = edit(api, storage, 400, project=api.project())
    assert "can't move" in error["validation_errors"]["project"][0]


def test_a_folder_can_be_edited_without_its_path(api: Api):
    storage = api.local(api.project())
    assert edit(api, storage, recursive_scan=True)["recursive_scan"] is True


def test_two_edits_at_once_both_count(api: Api):
    storage = api.local(api.project())
    barrier = threading.Barrier(2)
    commit = api.ctx.documents.commit

    def together(writes: Any, checks: Any = ()) -> list[str]:
        if any(write.ref.collection == "storages" for write in writes):
            with suppress(threading.BrokenBarrierError):
                barrier.wait(5)
        result = commit(writes, checks)
        barrier.abort()
        return result

    api.ctx.documents.commit = together  # type: ignore[method-assign]
    edits = [
        threading.Thread(target=edit, args=(api, storage), kwargs={name: "new"}) for name in ("title", "description")
    ]
    for thread in edits:
        thread.start()
    for thread in edits:
        thread.join()
    after = shown(api, storage)
    assert (after["title"], after["description"]) == ("new", "new")


@pytest.mark.parametrize("applied", [True, False])
def test_a_lost_answer_is_looked_into(api: Api, s3: S3Server, applied: bool):
    storage = api.s3(api.project(), s3.endpoint)
    sync(api, storage)
    lose = _losing(api, applied)
    after = edit(api, storage, prefix="rows")
    assert lose.count == 1
    assert (after["status"], after["prefix"], after["meta"]["attempts"]) == ("queued", "rows", 2)
    _losing(api, applied)
    api.call("DELETE", f"/api/storages/s3/{storage['id']}", 204)
    _losing(api, applied)
    assert api.s3(storage["project"], s3.endpoint)["id"] == 2
    _losing(api, applied)
    api.call("DELETE", f"/api/projects/{storage['project']}/", 204)
    assert api.count("storages") == api.count("gates") == 0


class _losing:  # noqa: N801  reads as a word
    """Loses the answer of the next commit that writes a storage or project."""

    def __init__(self, api: Api, applied: bool) -> None:
        self.count = 0
        documents = api.ctx.documents
        commit = type(documents).commit

        def lossy(writes: Any, checks: Any = ()) -> list[str]:
            if self.count or not any(write.ref.collection in {"storages", "projects"} for write in writes):
                return commit(documents, writes, checks)
            self.count += 1
            if applied:
                commit(documents, writes, checks)
            raise CommitUnknownError

        documents.commit = lossy  # type: ignore[method-assign]


def test_a_project_deleted_meanwhile_gets_no_storage(api: Api, monkeypatch: pytest.MonkeyPatch):
    project = api.project()
    check = registration.connecting.check

    def slow(*args: Any) -> Any:
        checked = check(*args)
        api.call("DELETE", f"/api/projects/{project}/", 204)
        return checked

    monkeypatch.setattr(registration.connecting, "check", slow)
    error = api.local(project, 400)
    assert error["validation_errors"]["project"] == [f'Invalid pk "{project}" - object does not exist.']
    assert api.count("storages") == api.count("gates") == api.count("chunks") == 0


def test_a_storage_created_meanwhile_is_deleted_with_its_project(api: Api):
    project = api.project()
    commit = api.ctx.documents.commit
    api.folder()

    def sneaking(writes: Any, checks: Any = ()) -> list[str]:
        if any(write.ref.collection == "trash" for write in writes):
            api.ctx.documents.commit = commit  # type: ignore[method-assign]
            registration.create(
                api.ctx,
                PROVIDERS["localfiles"],
                {"project": project, "path": api.folder(), "use_blob_urls": True},
                user=users.first(api.ctx),
            )
        return commit(writes, checks)

    api.ctx.documents.commit = sneaking  # type: ignore[method-assign]
    api.call("DELETE", f"/api/projects/{project}/", 204)
    assert api.count("storages") == api.count("gates") == 0


def test_constant_refusal_is_a_503_with_a_hint_when_to_come_back(api: Api):
    storage = api.local(api.project())

    def refuse(*_: Any) -> list[str]:
        raise CommitRefusedError

    api.ctx.documents.commit = refuse  # type: ignore[method-assign]
    answer = api.http.patch(f"/api/storages/localfiles/{storage['id']}", json={"title": "x"})
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")
