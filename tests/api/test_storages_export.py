"""Export storages over HTTP: what they refuse, when they sync, and that the two directions never meet."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from functions import sweep
from infra.bench.s3_process import S3Server
from shared.errors import QueueUnavailableError
from shared.model.providers import PROVIDERS
from shared.ports import Message
from shared.services.storages import editing, registration
from tests.api.client import Api

EXPORT = "/api/storages/export/localfiles"
IMPORT = "/api/storages/localfiles"
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


def target(api: Api, project: int, status: int = 201, **fields: Any) -> Any:
    return api.post(EXPORT, {"project": project, "path": api.folder(), **fields}, status)


def s3_target(api: Api, project: int, s3: S3Server, status: int = 201, **fields: Any) -> Any:
    keys = {"aws_access_key_id": "AKIDFORTESTS", "aws_secret_access_key": "a-secret-for-tests"}
    body = {"project": project, "bucket": "pictures", "s3_endpoint": s3.endpoint, **keys, **fields}
    return api.post("/api/storages/export/s3", body, status)


class TestDirections:
    def test_neither_shows_the_others(self, api: Api):
        project = api.project()
        source, goal = api.local(project), target(api, project)
        assert source["id"] != goal["id"]
        assert api.get(f"/api/storages/?project={project}") == [source]
        assert api.get(f"/api/storages/export?project={project}") == [goal]
        assert api.get(f"{IMPORT}/?project={project}") == [source]
        assert api.get(f"{EXPORT}?project={project}") == [goal]

    def test_an_id_of_the_other_is_not_found(self, api: Api):
        """Not even to delete it, or to borrow its credentials."""
        project = api.project()
        source, goal = api.local(project), target(api, project)
        for path, number, said in ((IMPORT, goal["id"], "storage"), (EXPORT, source["id"], "export storage")):
            for method in ("GET", "PATCH", "PUT", "DELETE"):
                error = api.call(method, f"{path}/{number}", 404, json={"project": project, "title": "x"})
                assert error["detail"] == f"No Local files {said} has the id {number}."
            api.post(f"{path}/{number}/sync", status=404)
            api.post(f"{path}/validate", {"project": project, "id": number}, 404)
        api.post(f"{IMPORT}/files", {"project": project, "id": goal["id"]}, 404)
        assert api.get(f"{IMPORT}/{source['id']}") == source
        assert api.get(f"{EXPORT}/{goal['id']}") == goal

    def test_a_members_view_ends_at_their_projects(self, api: Api):
        project = api.project()
        goal = target(api, project)
        other = api.as_user(api.project())
        assert other.get(f"/api/storages/export?project={project}") == []
        other.get(f"{EXPORT}?project={project}", 404)
        other.get(f"{EXPORT}/{goal['id']}", 404)
        other.post(f"{EXPORT}/validate", {"project": project, "path": api.folder()}, 400)
        assert api.as_user(project).get(f"{EXPORT}/{goal['id']}") == goal

    def test_a_deleted_project_takes_both_along(self, api: Api):
        project, kept = api.project(), api.project()
        api.local(project), target(api, project)
        left = target(api, kept)
        api.call("DELETE", f"/api/projects/{project}", 204)
        assert [it.value.id for it in api.ctx.storages.find()] == [left["id"]]
        assert [gate.value.storage for gate in api.ctx.gates.find()] == [left["id"]]
        assert [run.value.storage for run in api.ctx.runs.active(None, 10)] == [left["id"]]

    def test_both_count_towards_the_limit(self, api: Api, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(registration, "MAX_STORAGES", 2)
        project = api.project()
        api.local(project), target(api, project)
        assert "2 storages" in target(api, project, 400)["validation_errors"]["project"][0]


class TestSyncs:
    def test_a_new_target_begins_at_once_and_a_sync_joins_in(self, api: Api):
        goal = target(api, api.project())
        assert (goal["status"], goal["meta"]["attempts"]) == ("queued", 1)
        again = api.post(f"{EXPORT}/{goal['id']}/sync")
        assert (again["last_sync_job"], again["meta"]) == (goal["last_sync_job"], goal["meta"])
        assert api.count("runs") == 1

    def test_a_target_is_never_imported(self, api: Api):
        """Whatever lies in its folder, and however often its run is looked after."""
        project = api.project()
        (Path(api.folder()) / "7.json").write_text('{"image": "http://x/7.jpg"}')
        goal = target(api, project)
        for _ in range(3):
            api.work()
            assert sweep.handle(api.ctx, {}, b"") == 200
        assert api.get(f"/api/tasks/?project={project}")["total"] == 0
        assert api.count("ledgers") == 0
        assert api.get(f"{EXPORT}/{goal['id']}")["traceback"] is None

    @pytest.mark.parametrize("fields", [{"synchronizable": False}, {"bucket": ""}])
    def test_one_that_can_not_be_synced_waits(self, api: Api, s3: S3Server, fields: dict[str, Any]):
        goal = s3_target(api, api.project(), s3, **fields)
        assert (goal["status"], goal["meta"]) == ("initialized", {})
        assert api.count("runs") == 0

    def test_not_synchronizable(self, api: Api):
        goal = target(api, api.project(), synchronizable=False)
        error = api.post(f"{EXPORT}/{goal['id']}/sync", status=400)
        assert error == {"message": f"Storage {goal['id']} is not synchronizable"}

    def test_a_setting_leaves_the_first_sync_to_the_user(self, api: Api):
        api.ctx.settings = replace(api.ctx.settings, sync_on_target_storage_creation=False)
        goal = target(api, api.project())
        assert goal["status"] == "initialized"
        assert api.post(f"{EXPORT}/{goal['id']}/sync")["status"] == "queued"

    def test_a_queue_that_can_not_be_reached_does_not_spoil_the_creation(self, api: Api):
        def unreachable(_message: Message) -> bool:
            raise QueueUnavailableError

        enqueue, api.ctx.queue.enqueue = api.ctx.queue.enqueue, unreachable  # type: ignore[method-assign]
        goal = target(api, api.project())
        api.ctx.queue.enqueue = enqueue  # type: ignore[method-assign]
        assert goal["status"] == "queued"
        owed = [lane.value for lane in api.ctx.lanes.of_run(goal["last_sync_job"])]
        assert owed
        assert all(lane.confirmed < lane.ticket for lane in owed)
        sweep.handle(api.ctx, {}, b"")
        assert all(lane.value.confirmed for lane in api.ctx.lanes.of_run(goal["last_sync_job"]))

    @pytest.mark.parametrize(
        "fields", [{"prefix": "other"}, {"export_format": "task"}, {"key_template": "{task}/{annotation}"}]
    )
    def test_an_edit_of_what_is_written_starts_anew(self, api: Api, s3: S3Server, fields: dict[str, Any]):
        goal = s3_target(api, api.project(), s3, prefix="out")
        after = api.call("PATCH", f"/api/storages/export/s3/{goal['id']}", json=fields)
        assert (after["status"], after["meta"]["attempts"]) == ("queued", 2)
        assert after["last_sync_job"] != goal["last_sync_job"]
        ended = api.ctx.runs.get(goal["last_sync_job"])
        assert ended
        assert (ended.value.active, ended.value.traceback) == (False, editing.EDITED)

    def test_another_bucket_is_another_map(self, api: Api, s3: S3Server):
        s3.bucket("others")
        goal = s3_target(api, api.project(), s3)
        before = api.ctx.gates.get(goal["id"])
        title = api.call("PATCH", f"/api/storages/export/s3/{goal['id']}", json={"title": "T", "regex_filter": "x"})
        assert title["last_sync_job"] == goal["last_sync_job"]
        api.call("PATCH", f"/api/storages/export/s3/{goal['id']}", json={"bucket": "others"})
        after = api.ctx.gates.get(goal["id"])
        assert before
        assert after
        assert before.value.map != after.value.map
        assert [chunk.value.map for chunk in api.ctx.chunks.find() if chunk.value.storage == goal["id"]]

    def test_deleted_in_mid_run(self, api: Api):
        goal = target(api, api.project())
        api.call("DELETE", f"{EXPORT}/{goal['id']}", 204)
        api.work()
        assert api.ctx.runs.active(None, 10) == []
        api.get(f"{EXPORT}/{goal['id']}", 404)


class TestRefusals:
    @pytest.mark.parametrize(
        ("fields", "field"),
        [
            ({"export_format": "both"}, "export_format"),
            ({"export_format": None}, "export_format"),
            ({"key_template": "all.json"}, "key_template"),
            ({"key_template": "{task}.json"}, "key_template"),
            ({"key_template": "../{annotation}"}, "key_template"),
            ({"key_template": ["{annotation}"]}, "key_template"),
            ({"export_format": "task", "key_template": "{annotation}.json"}, "key_template"),
            ({"manifest": "perhaps"}, "manifest"),
            ({"manifest": None, "can_delete_objects": "perhaps"}, "can_delete_objects"),
            ({"path": "/etc"}, "non_field_errors"),
            ({"path": None}, "non_field_errors"),
        ],
    )
    def test_fields(self, api: Api, fields: dict[str, Any], field: str):
        project = api.project()
        assert field in target(api, project, 400, **fields)["validation_errors"]
        body = {"project": project, "path": api.folder(), **fields}
        assert field in api.post(f"{EXPORT}/validate", body, 400)["validation_errors"]
        goal = target(api, project)
        assert field in api.call("PATCH", f"{EXPORT}/{goal['id']}", 400, json=fields)["validation_errors"]
        assert api.get(f"{EXPORT}/{goal['id']}") == goal

    def test_a_format_that_does_not_go_with_the_stored_template(self, api: Api):
        goal = target(api, api.project(), key_template="{task}/{annotation}.json")
        error = api.call("PATCH", f"{EXPORT}/{goal['id']}", 400, json={"export_format": "task"})
        assert list(error["validation_errors"]) == ["key_template"]
        both = {"export_format": "task", "key_template": "{task}.json"}
        assert both.items() <= api.call("PATCH", f"{EXPORT}/{goal['id']}", json=both).items()

    def test_a_prefix_needs_no_object_but_a_bucket_has_to_be_there(self, api: Api, s3: S3Server):
        project = api.project()
        assert s3_target(api, project, s3, prefix="nothing/yet")["prefix"] == "nothing/yet"
        error = s3_target(api, project, s3, 400, bucket="nowhere")
        assert error["validation_errors"] == {"non_field_errors": ["Cannot find bucket nowhere in S3"]}

    def test_validate_answers_nothing_writes_nothing_and_lends_credentials(self, api: Api, s3: S3Server):
        project = api.project()
        goal = s3_target(api, project, s3)
        s3.access("AKIDFORTESTS")
        body = {"project": project, "id": goal["id"], "prefix": "elsewhere", "aws_secret_access_key": ""}
        answer = api.http.post("/api/storages/export/s3/validate/", json=body)
        assert (answer.status_code, answer.content, answer.headers.get("content-type")) == (200, b"", None)
        assert api.get(f"/api/storages/export/s3/{goal['id']}") == goal
        nobody = {"project": project, "bucket": "pictures", "s3_endpoint": s3.endpoint, "aws_access_key_id": "OTHER"}
        api.post("/api/storages/export/s3/validate", {**nobody, "aws_secret_access_key": "x"}, 400)
        assert s3.keys("pictures") == [*(f"img/{i:08}.jpg" for i in range(10)), *(f"rows/{i:08}.json" for i in (0, 1))]


class TestPaths:
    @pytest.mark.parametrize("base", ["/api/storages/b2", "/api/storages/export/b2"])
    @pytest.mark.parametrize("rest", ["", "/", "/1", "/1/sync", "/validate", "/form/", "/files", "/a/b/c"])
    def test_a_type_there_is_not(self, api: Api, base: str, rest: str):
        for method in METHODS:
            error = api.call(method, f"{base}{rest}", 404)
            assert error["detail"] == f'There is no storage type "b2"; there are {", ".join(PROVIDERS)}.'
        assert api.http.head(f"{base}{rest}").status_code == 404
        assert api.http.get(f"{base}{rest}", headers={"Authorization": ""}).status_code == 401

    @pytest.mark.parametrize(
        ("method", "path", "allowed"),
        [
            ("DELETE", "/api/storages/export", "GET"),
            ("POST", "/api/storages/types", "GET"),
            ("PUT", "/api/storages/export/types", "GET"),
            ("PATCH", f"{EXPORT}/", "GET, POST"),
            ("POST", f"{EXPORT}/1", "DELETE, GET, PATCH, PUT"),
            ("GET", f"{EXPORT}/1/sync", "POST"),
        ],
    )
    def test_a_method_there_is_not(self, api: Api, method: str, path: str, allowed: str):
        answer = api.http.request(method, path)
        assert (answer.status_code, answer.headers["Allow"]) == (405, allowed)
        assert answer.json()["detail"] == f'Method "{method}" not allowed.'

    @pytest.mark.parametrize("path", [f"{EXPORT}/1/2", f"{IMPORT}/1/sync/3", "/api/storages/types/s3"])
    def test_a_path_there_is_not(self, api: Api, path: str):
        assert api.get(path, 404)["detail"] == "Not found."

    def test_targets_have_no_preview(self, api: Api):
        api.post(f"{EXPORT}/files", {"project": api.project(), "path": api.folder()}, 405)

    def test_both_slash_forms_are_served_without_a_redirect(self, api: Api):
        project = api.project()
        goal = target(api, project)
        body = {"project": project, "path": api.folder()}
        for path in ("/api/storages/export", "/api/storages/export/types", EXPORT, f"{EXPORT}/{goal['id']}"):
            pages = [api.get(f"{path}{end}", params={"project": project}) for end in ("", "/")]
            assert pages[0] == pages[1]
        for path in (f"{EXPORT}/validate", f"{EXPORT}/{goal['id']}/sync"):
            for end in ("", "/"):
                api.post(f"{path}{end}", body)
        assert api.post(f"{EXPORT}/", body, 201)["id"] == goal["id"] + 1
