"""A storage declared in Terraform: applied, changed, killed and destroyed by the real program against a real stack."""

import re
import threading
import uuid
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from infra.bench.s3_process import S3Server
from infra.local import Stack, running
from shared.adapters.queues.inprocess import InProcessQueue
from shared.model.providers import PROVIDERS
from shared.services.context import QUEUE_RUNS
from tests.e2e.declared import MODULE, Declared, terraform
from tests.e2e.door import door
from tests.stack import Api

SECRETS = {"aws_access_key_id": "AKIDFORTESTS", "aws_secret_access_key": "a-secret-that-nobody-keeps"}
OBJECTS = 7


@pytest.fixture(scope="module", autouse=True)
def program() -> str:
    return terraform()


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    root = tmp_path_factory.mktemp("stack")
    with running(root / "data", files_root=root) as stack:
        yield stack


@pytest.fixture
def api(stack: Stack) -> Iterator[Api]:
    api = Api(stack.url, stack.token)
    yield api
    api.close()


@pytest.fixture
def settings(s3: S3Server) -> dict[str, Any]:
    """Of a storage of a bucket of its own, which takes only the right key."""
    bucket = f"b{uuid.uuid4().hex}"
    s3.fill(bucket, OBJECTS, prefix="img/")
    s3.access(SECRETS["aws_access_key_id"])
    return {"bucket": bucket, "s3_endpoint": s3.endpoint, "use_blob_urls": True, "recursive_scan": True}


@pytest.fixture
def declared(stack: Stack, api: Api, settings: dict[str, Any], tmp_path: Path) -> Callable[..., Declared]:
    """Makes a folder that declares a storage of a project of its own."""

    def declare(*, token: str = stack.token, **inputs: Any) -> Declared:
        given = {"url": stack.url, "project": api.project(), "type": "s3", "name": "Pictures", "settings": settings}
        return Declared(tmp_path / uuid.uuid4().hex, token, **(given | inputs))

    return declare


def there(api: Api, one: Declared, *, kind: str = "s3", direction: str = "import") -> list[dict[str, Any]]:
    base = {"import": "", "export": "export/", "dataset": "dataset/"}[direction]
    query = {"project": one.inputs["project"]} if one.inputs.get("project") else {}
    answer = api.http.get(f"/api/storages/{base}{kind}/", params=query)
    assert 200 == answer.status_code, answer.text
    return [storage for storage in answer.json() if storage["title"] == one.inputs["name"]]


def nothing_told(one: Declared, stack: Stack) -> None:
    everything = one.said + one.kept()
    for secret in (*SECRETS.values(), stack.token):
        assert secret not in everything


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


def test_a_wrong_bucket_is_told_and_mended(api: Api, stack: Stack, declared: Callable[..., Declared]):
    one = declared()
    right = one.inputs["settings"]

    out = one.apply(settings={**right, "bucket": "nowhere", "presign_ttl": 0}, secrets=SECRETS, code=1)
    also = one.apply(settings={**right, "bucket": "nowhere"}, secrets=SECRETS, code=1)

    assert "presign_ttl: " in out
    assert "/api/storages/s3/ was answered with 400 Cannot find bucket nowhere in S3" in " ".join(also.split())
    assert [] == there(api, one)
    one.apply(settings=right, secrets=SECRETS)
    assert 1 == len(there(api, one))
    nothing_told(one, stack)


@pytest.mark.parametrize(
    ("token", "sentence"),
    [
        ("", "There is no token: set SLUICE_TOKEN"),
        ("a-wrong-token", "SLUICE_TOKEN must be a token of this server."),
        ("a-wrong\ntoken", "characters that no token has"),
    ],
)
def test_tokens_that_are_none(api: Api, declared: Callable[..., Declared], token: str, sentence: str):
    one = declared(token=token)

    out = " ".join(one.apply(secrets=SECRETS, code=1).split())

    assert sentence in out
    assert not token or token not in out
    assert [] == there(api, one)


def test_a_refresh_token_is_exchanged(api: Api, declared: Callable[..., Declared]):
    answer = api.http.post("/api/token/")
    assert 201 == answer.status_code, answer.text
    refresh = answer.json()["token"]
    one = declared(token=refresh, sync="wait")

    one.apply(secrets=SECRETS)

    assert OBJECTS == api.total(one.inputs["project"])
    assert refresh not in one.said + one.kept()


def test_the_token_follows_no_redirect(stack: Stack, declared: Callable[..., Declared]):
    asked: list[str] = []

    class Elsewhere(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(307)
            self.send_header("Location", f"http://localhost:{server.server_port}/elsewhere")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None: ...  # noqa: A002

    with HTTPServer(("127.0.0.1", 0), Elsewhere) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        out = declared(url=f"http://127.0.0.1:{server.server_port}").apply(secrets=SECRETS, code=1)
        server.shutdown()
        thread.join()

    assert 1 == len(asked)
    assert f"a redirect to localhost:{server.server_port}, which is not followed" in " ".join(out.split())
    assert stack.token not in out


def test_several_of_a_title_are_named(api: Api, declared: Callable[..., Declared]):
    one = declared()
    given = {**one.inputs["settings"], **SECRETS, "title": one.inputs["name"]}
    ids = [api.storage(one.inputs["project"], kind="s3", **given)["id"] for _ in range(2)]

    out = " ".join(one.apply(secrets=SECRETS, code=1).split())

    assert "Several storages have the title" in out
    assert f"{ids[0]}, {ids[1]}. Rename or delete all but one." in out
    assert 2 == len(there(api, one))


def test_a_sync_that_takes_too_long_goes_on(api: Api, stack: Stack, declared: Callable[..., Declared]):
    one = declared(sync="wait", sync_timeout=1)
    queue = stack.ctx.queue
    assert isinstance(queue, InProcessQueue)
    queue.pause(QUEUE_RUNS)
    try:
        out = " ".join(one.apply(secrets=SECRETS, code=1).split())
    finally:
        queue.resume(QUEUE_RUNS)

    assert "is still queued after 1 s. It goes on" in out
    [storage] = there(api, one)
    assert "completed" == api.wait(storage)["status"]
    again = one.apply(sync_timeout=60)
    assert "module.storage.terraform_data.settings" not in again.partition("Plan:")[0].partition("will perform")[2]
    assert storage["id"] == there(api, one)[0]["id"]


def test_a_failed_sync_fails_with_its_reason(api: Api, s3: S3Server, declared: Callable[..., Declared]):
    one = declared()
    one.apply(secrets=SECRETS)
    s3.drop(one.inputs["settings"]["bucket"])

    out = one.apply(sync="wait", code=1)

    assert "failed, " in out
    assert "does not exist" in out


@pytest.mark.parametrize(
    ("inputs", "sentence"),
    [
        ({"settings": {"bucket": "b", "aws_secret_access_key": "x"}}, "Credentials belong into `secrets`"),
        ({"settings": {"bucket": "b", "title": "x"}}, "the title is `name`"),
        ({"settings": "b"}, "Give an object of fields"),
        ({"direction": "dataset"}, "a dataset has none"),
        ({"direction": "sideways"}, "There are import, export and dataset."),
        ({"type": "../projects"}, "Write the type as the API's paths do"),
        ({"url": "https://user:word@host"}, "no user, query or fragment"),
        ({"sync": "perhaps"}, "There are none, start and wait."),
    ],
)
def test_inputs_that_can_not_be_meant(declared: Callable[..., Declared], inputs: dict[str, Any], sentence: str):
    one = declared()

    out = " ".join(one.apply(**inputs, code=1).replace("│", " ").split())

    assert sentence in out


def test_every_secret_is_known_to_the_module():
    """An account's name alone is a setting here: it is no secret to who reads the state."""
    secret = {field.name for provider in PROVIDERS.values() for field in provider.fields if field.secret}

    refused = (MODULE / "variables.tf").read_text().partition("setintersection(keys(var.settings), [")[2]

    named = set(re.findall(r'"([a-z_]+)"', refused.partition("]")[0]))
    assert secret - {"account_name"} == named
