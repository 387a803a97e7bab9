"""Every operation of the document is called with what schemathesis makes of it: no 500, no other status, no other body.

The same requests each time. `make fuzz` makes more, and others: SLUICE_FUZZ says how many of each operation.
"""

import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as hypothesis_settings
from schemathesis import Case
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi import checks

from functions.app import create_app
from functions.runtime import deliver
from infra.bench.s3_process import S3Server
from shared import app
from shared.settings import Settings
from tests.api import documented
from tests.api.client import TOKEN, Api
from tests.api.conftest import Switch
from tests.api.fuzzing import OPERATIONS, Servers, cases, offline, servers
from tests.api.world import World, make
from tests.indexes import CheckedIndexes

__all__ = ["servers"]
EXAMPLES = int(os.environ.get("SLUICE_FUZZ", "0"))
HEADERS = {"Authorization": f"Token {TOKEN}"}
CHECKS = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]
ENDS = ("DELETE ", "POST /api/annotations/bulk-delete", "POST /api/token/rotate", "POST /api/token/blacklist")
"""What takes away something of its world."""
READS = ("{record}", "{snapshot}", "/presign", "/resolve")
"""What reads objects: an edit may have moved the shared world's storages to another bucket, where they are not."""
FUZZ = hypothesis_settings(
    max_examples=EXAMPLES or 10,
    derandomize=not EXAMPLES,
    database=None,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


class Worlds:
    """The server that is called, and a world for each operation that takes something away or reads objects."""

    def __init__(self, api: Api, session: requests.Session, url: str, servers: Servers) -> None:
        self.api, self.session, self.url, self.servers = api, session, url, servers
        self.made = 0
        self.shared = self.new()

    def new(self) -> World:
        self.made += 1
        return make(self.api, f"fuzz-{self.made}")

    def of(self, name: str) -> World:
        return self.new() if name.startswith(ENDS) or any(part in name for part in READS) else self.shared


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[list[Any]]:
    """Whom Python's sockets were to connect to beyond this machine; they don't."""
    found: list[Any] = []
    connect = socket.socket.connect

    def watched(self: socket.socket, address: Any) -> None:
        if self.family in {socket.AF_INET, socket.AF_INET6} and address[0] not in {"127.0.0.1", "::1", "localhost"}:
            found.append(address)
            raise ConnectionRefusedError(f"a test may not call {address}")
        connect(self, address)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", watched)
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        patch.setenv("NO_GCE_CHECK", "true")
        yield found


@pytest.fixture(scope="module")
def worlds(
    switch: tuple[Switch, str],
    s3_process: S3Server,
    servers: Servers,
    tmp_path_factory: pytest.TempPathFactory,
    elsewhere: list[Any],
) -> Iterator[Worlds]:
    folder = tmp_path_factory.mktemp("fuzz")
    root = folder / "files"
    root.mkdir()
    settings = Settings(
        data_dir=str(folder / "data"),
        token=TOKEN,
        local_files_document_root=str(root),
        local_files_serving_enabled=True,
    )
    ctx = app.build(offline(settings, servers.http), deliver)
    ctx.documents = CheckedIndexes(ctx.documents)
    s3_process.reset(everything=True)
    s3_process.fill("pictures", 3, prefix="img/")
    switch[0].app = create_app(lambda: ctx)
    with ExitStack() as ending:
        ending.callback(app.close, ctx)
        client = ending.enter_context(documented.client(base_url=switch[1], headers=HEADERS))
        api = Api(ctx, client)
        ending.callback(lambda: [other.close() for other in api.others])
        session = ending.enter_context(requests.Session())
        session.trust_env = False
        session.headers.update(HEADERS)
        yield Worlds(api, session, switch[1], servers)
    assert elsewhere == []


# The server is in this process and draws numbers while hypothesis makes the next request.
@pytest.mark.filterwarnings("ignore:Do not use the `random` module:hypothesis.errors.HypothesisDeprecationWarning")
@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_answers_as_documented(worlds: Worlds, name: str):
    world = worlds.of(name)
    seen = set()

    @FUZZ
    @given(cases(name, world, worlds.servers))
    def check(case: Case) -> None:
        call = {**case.as_transport_kwargs(base_url=worlds.url), "timeout": 30, "allow_redirects": False}
        answer = worlds.session.request(**call)
        seen.add(answer.status_code)
        case.validate_response(answer, checks=CHECKS)
        faults = documented.faults(case.method, urlsplit(answer.url).path, answer)  # stricter, but of real paths alone
        assert faults == [], f"{answer.status_code} {answer.text[:300]} to {case.as_curl_command()}"

    check()
    assert seen - {401, 404}, "nothing that was asked for is there"
