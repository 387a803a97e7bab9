"""Requests for the fuzzer that hit: schemathesis makes them, and much of what they name is there.

Whatever says where a bucket is, is a server on this machine, so that no example looks for another.
"""

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from typing import Any, NamedTuple

import pytest
import schemathesis
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode

from infra.bench.s3_process import S3Server
from infra.emulators import HOST, Missing, redis, running
from shared.settings import Settings
from tests.api.documented import document, resolved
from tests.api.world import BUCKET, RECEIVER, World

CONFIG = schemathesis.Config.from_dict({"generation": {"with-security-parameters": False}})
"""The token is the test's to send; made-up ones are 401 whatever else is asked."""
SCHEMA = schemathesis.openapi.from_dict(document(), config=CONFIG)
OPERATIONS = {
    f"{operation.method.upper()} {operation.path}": operation
    for found in SCHEMA.get_all_operations()
    for operation in [found.ok()]
}
LISTS = frozenset({"tasks", "ids", "projects"})
UNUSED = 10**15
"""Ids beyond are nothing's: what is made up must not delete what other operations need."""
HOSTS = frozenset({"s3_endpoint", "azure_endpoint", "host", "port", "connection_string"})


class Servers(NamedTuple):
    """Where all buckets are."""

    http: str
    """URL of one that speaks S3's protocol, and answers to others what can't be waited for."""
    redis: int
    """Port of a Redis server, or a closed one, on which everybody waits a little."""


@pytest.fixture(scope="session")
def servers(s3_process: S3Server) -> Iterator[Servers]:
    """The servers of this machine, an S3 server with a bucket "pictures" among them."""
    found = redis.find()
    with nullcontext() if isinstance(found, Missing) else running(found) as server:
        yield Servers(s3_process.endpoint, server.port if server else 1)


def offline(settings: Settings, server: str) -> Settings:
    """Settings under which nobody beyond this machine is asked for anything: all is asked of one server here."""
    return replace(
        settings,
        connect_timeout=0.2,
        read_timeout=1.0,
        preview_seconds=1.0,
        storage_emulator_host=server,
        aws_sts_endpoint=server,
        google_sts_url=server,
        google_iam_credentials_url=server,
        azure_blob_url=server + "/{account}",
        azure_login_url=server,
    )


def local(name: str, servers: Servers) -> Any:
    """What stands in a field that says where a bucket is."""
    http = servers.http
    values = {"s3_endpoint": http, "azure_endpoint": f"{http}/account", "host": HOST, "port": str(servers.redis)}
    return values.get(name, f"BlobEndpoint={http}/account;AccountName=account;AccountKey=YS1rZXk=")


def known(world: World, name: str, path: str) -> Any:
    """What the world has for a field of that name."""
    ids = world.ids
    values = {
        "project": world.project,
        "task__project": world.project,
        "projects": world.project,
        "task": ids["/api/tasks/{id}"],
        "tasks": ids["/api/tasks/{id}"],
        "ids": ids["/api/annotations/{id}"],
        "completed_by": world.user.id,
        "user": world.user.id,
        "refresh": world.refresh,
        "url": RECEIVER,
        "bucket": "pictures",
        "path": world.admin.folder(),
        "fileuri": f"s3://{BUCKET}/key",
        "id": ids.get(path.rpartition("/")[0] + "/{id}"),
    }
    return values.get(name)


@st.composite
def cases(draw: st.DrawFn, name: str, world: World, servers: Servers) -> Case:
    """A request of this operation, valid or not."""
    operation = OPERATIONS[name]
    modes = [GenerationMode.POSITIVE, GenerationMode.POSITIVE, GenerationMode.NEGATIVE]
    case = draw(st.one_of([operation.as_strategy(generation_mode=mode) for mode in modes]))
    path = operation.path
    for parameter in case.path_parameters or {}:
        before, _, _ = path.partition(f"{{{parameter}}}")
        real = world.ids.get(f"{before}{{{parameter}}}")
        if real is not None and draw(st.integers(0, 3)):
            case.path_parameters[parameter] = real
        elif isinstance(made_up := case.path_parameters[parameter], int) and 0 < made_up < UNUSED:
            case.path_parameters[parameter] = made_up + UNUSED
    grounded(draw, world, path, case.query)
    grounded(draw, world, path, case.body)
    if "/storages/" in path and isinstance(case.body, dict):
        properties = fields_of(name)
        case.body.update({field: local(field, servers) for field in HOSTS if field in properties})
    return case


def grounded(draw: st.DrawFn, world: World, path: str, fields: Any) -> None:
    """Puts what is there in place of much that was made up."""
    if isinstance(fields, list):
        for item in fields:
            grounded(draw, world, path, item)
    if not isinstance(fields, dict):
        return
    for name in [*fields]:
        real = known(world, name, path)
        if real is not None and draw(st.integers(0, 3)):
            fields[name] = [real] if name in LISTS else real


def fields_of(name: str) -> dict[str, Any]:
    """What the body of an operation may have."""
    method, path = name.split(" ")
    body = document()["paths"][path][method.lower()]["requestBody"]["content"]["application/json"]["schema"]
    found: dict[str, Any] = resolved(body)["properties"]
    return found
