"""A storage declared in Terraform: applied, changed, killed and destroyed by the real program against a real stack."""

import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from infra.bench.s3_process import S3Server
from infra.local import Stack
from shared.model.providers import PROVIDERS
from tests.e2e.declared import (
    MODULE,
    OBJECTS,
    SECRETS,
    Declared,
    api,
    declared,
    nothing_told,
    settings,
    stack,
    terraform,
    there,
)
from tests.e2e.door import door
from tests.stack import Api

__all__ = ["api", "declared", "settings", "stack"]


def test_applied_twice_it_is_one_storage_with_its_tasks(api: Api, stack: Stack, declared: Callable[..., Declared]):
    one = declared(sync="wait")

    out = one.apply(secrets=SECRETS)

    [storage] = there(api, one)
    assert ("completed", OBJECTS) == (storage["status"], api.total(one.inputs["project"]))
    assert f"completed, {OBJECTS} objects, 0 of them failed" in out
    path, project = "/api/storages/s3", one.inputs["project"]
    listed = {"name": "Pictures", "path": path, "list_url": f"{stack.url}{path}/?project={project}"}
    assert listed == one.outputs()
    assert api.http.get(one.outputs()["list_url"]).json() == [storage]
    assert one.unchanged()
    assert "0 added, 0 changed, 0 destroyed" in one.apply(secrets=SECRETS)
    assert [storage] == there(api, one)
    nothing_told(one, stack)


def test_a_saved_plan_holds_no_secret(stack: Stack, declared: Callable[..., Declared]):
    one = declared()

    saved = one.plan(SECRETS)

    assert one.inputs["settings"]["bucket"] in saved
    assert [] == [secret for secret in (*SECRETS.values(), stack.token) if secret in saved]


def test_changed_settings_edit_it(api: Api, s3: S3Server, declared: Callable[..., Declared], settings: dict[str, Any]):
    """Also those that are declared no longer: they have their default again. The ledger stays, so nothing is twice."""
    one = declared(sync="wait", settings={**settings, "regex_filter": ".*0[0-3][.]jpg"})
    one.apply(secrets=SECRETS)
    [before] = there(api, one)
    assert 4 == api.total(one.inputs["project"])

    one.apply(settings={**settings, "presign_ttl": 9})

    [after] = there(api, one)
    assert (before["id"], None, 9) == (after["id"], after["regex_filter"] or None, after["presign_ttl"])
    assert (OBJECTS, OBJECTS - 4) == (api.total(one.inputs["project"]), after["last_sync_count"])
    assert one.unchanged()


def test_other_credentials_are_sent_with_another_version(api: Api, s3: S3Server, declared: Callable[..., Declared]):
    one = declared(sync="wait")
    one.apply(secrets=SECRETS)
    s3.access("ANOTHERKEY")

    refused = one.apply(secrets_version="2", secrets=SECRETS, code=1)
    one.apply(secrets={**SECRETS, "aws_access_key_id": "ANOTHERKEY"})

    assert "400" in refused
    [storage] = there(api, one)
    assert ("completed", OBJECTS) == (storage["status"], api.total(one.inputs["project"]))


def test_another_direction_replaces_it(api: Api, declared: Callable[..., Declared], settings: dict[str, Any]):
    one = declared()
    one.apply(secrets=SECRETS)
    [before] = there(api, one)
    taken = {name: settings[name] for name in ("bucket", "s3_endpoint")}

    one.apply(direction="export", settings={**taken, "prefix": "out"}, secrets=SECRETS)

    assert [] == there(api, one)
    [target] = there(api, one, direction="export")
    assert before["id"] != target["id"]
    project, one.inputs["project"] = one.inputs["project"], None
    one.apply(direction="dataset", settings=taken, sync="wait", name=f"Of {project}", secrets=SECRETS)
    [dataset] = there(api, one, direction="dataset")
    assert OBJECTS == len(api.records(dataset))
    assert [] == api.http.get("/api/storages/export/s3/", params={"project": project}).json()
    one.destroy()
    assert [] == there(api, one, direction="dataset")


def test_another_type_replaces_it(api: Api, stack: Stack, tmp_path: Path, declared: Callable[..., Declared]):
    one = declared()
    one.apply(secrets=SECRETS)
    folder = Path(stack.ctx.settings.local_files_document_root) / tmp_path.name
    folder.mkdir()

    one.apply(type="localfiles", settings={"path": str(folder), "use_blob_urls": True})

    assert [] == there(api, one)
    assert 1 == len(there(api, one, kind="localfiles"))


def test_destroyed_it_is_gone_and_its_tasks_stay(api: Api, stack: Stack, declared: Callable[..., Declared]):
    one = declared(sync="wait")
    one.apply(secrets=SECRETS)

    one.destroy()

    assert [] == there(api, one)
    assert OBJECTS == api.total(one.inputs["project"])
    nothing_told(one, stack)


def test_it_stays_on_the_server_if_that_is_declared(api: Api, declared: Callable[..., Declared]):
    one = declared()
    one.apply(secrets=SECRETS)
    before = there(api, one)

    one.apply(keep_on_destroy=True)
    out = one.destroy()

    assert "stays on the server" in out
    assert before == there(api, one)
    assert 1 == len(before)


@pytest.mark.parametrize("what", ["storage", "project"])
def test_what_is_gone_is_destroyed(api: Api, declared: Callable[..., Declared], what: str):
    one = declared()
    one.apply(secrets=SECRETS)
    [storage] = there(api, one)
    path = api.path(storage) if what == "storage" else f"/api/projects/{one.inputs['project']}/"
    assert 204 == api.http.delete(path).status_code

    out = one.destroy()

    assert "was gone" in out


def test_deleted_by_hand_it_is_made_again_at_the_next_change(api: Api, declared: Callable[..., Declared]):
    """Twice on one day, of the very same content."""
    one = declared()
    one.apply(secrets=SECRETS)
    ids = set()
    for version in ("2", "3"):
        [storage] = there(api, one)
        ids.add(storage["id"])
        assert 204 == api.http.delete(api.path(storage)).status_code

        one.apply(secrets=SECRETS, secrets_version=version)

    [storage] = there(api, one)
    assert storage["id"] not in ids
    assert 2 == len(ids)


@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_in_the_middle_of_the_creation_it_is_one(
    api: Api, stack: Stack, declared: Callable[..., Declared], when: str
):
    """`before`: the request of the killed run reaches the server only when the next run is through."""
    with door(stack.url) as way:
        one = declared(url=way.url, sync="wait")
        way.hold = when
        one.apply_until(way.held, secrets=SECRETS)
        assert (when == "after") == bool(there(api, one))

        one.apply(secrets=SECRETS)

        way.let_go.set()
        assert way.over.wait(60)
        [storage] = there(api, one)
        assert ("completed", OBJECTS) == (storage["status"], api.total(one.inputs["project"]))
        assert one.unchanged()
        nothing_told(one, stack)
        one.destroy()
        assert [] == there(api, one)


def test_a_refresh_token_is_exchanged(api: Api, declared: Callable[..., Declared]):
    answer = api.http.post("/api/token/")
    assert 201 == answer.status_code, answer.text
    refresh = answer.json()["token"]
    one = declared(token=refresh, sync="wait")

    one.apply(secrets=SECRETS)

    assert OBJECTS == api.total(one.inputs["project"])
    assert refresh not in one.said + one.kept()


def test_the_module_is_formatted():
    done = subprocess.run(
        [terraform(), "fmt", "-check", "-diff", str(MODULE)], capture_output=True, text=True, check=False
    )

    assert (0, "") == (done.returncode, done.stdout)


def test_every_secret_is_known_to_the_module():
    """An account's name alone is a setting here: it is no secret to who reads the state."""
    secret = {field.name for provider in PROVIDERS.values() for field in provider.fields if field.secret}

    refused = (MODULE / "variables.tf").read_text().partition("setintersection(keys(var.settings), [")[2]

    named = set(re.findall(r'"([a-z_]+)"', refused.partition("]")[0]))
    assert secret - {"account_name"} == named
