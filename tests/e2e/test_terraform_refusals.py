"""Declared storages that can't be: each is told in words that people can act on, and without a secret."""

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from infra.bench.s3_process import S3Server
from infra.local import Stack
from shared.adapters.queues.inprocess import InProcessQueue
from shared.services.context import QUEUE_RUNS
from tests.e2e.declared import (
    SECRETS,
    Declared,
    api,
    declared,
    nothing_told,
    settings,
    stack,
    there,
)
from tests.e2e.door import door
from tests.stack import Api

__all__ = ["api", "declared", "settings", "stack"]


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


@pytest.mark.parametrize("status", [401, 503])
def test_what_passes_is_tried_again(api: Api, stack: Stack, declared: Callable[..., Declared], status: int):
    """A server that is busy, and an access token that ended."""
    refresh = api.http.post("/api/token/").json()["token"]
    with door(stack.url) as way:
        way.instead = [status]
        one = declared(url=way.url, token=refresh)

        one.apply(secrets=SECRETS)

        assert [] == way.instead
    assert 1 == len(there(api, one))


def test_another_server_is_none_of_ours(api: Api, stack: Stack, declared: Callable[..., Declared]):
    """A page that is not found there says nothing of the storage: it is not taken for gone."""
    one = declared()
    one.apply(secrets=SECRETS)
    with door(stack.url) as way:
        one.apply(url=way.url)
        way.statuses["GET"] = 404
        out = one.destroy(code=1)

    assert "was answered with 404, which is not Sluice's API" in " ".join(out.split())
    assert 1 == len(there(api, one))


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
