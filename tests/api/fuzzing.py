"""Requests for the fuzzer that hit: schemathesis makes them, and much of what they name is there.

Whatever says where a bucket is, is a server on this machine, so that no example looks for another.
"""

from typing import Any

import schemathesis
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode

from tests.api.documented import document
from tests.api.world import RECEIVER, World

SCHEMA = schemathesis.openapi.from_dict(document())
OPERATIONS = {
    f"{operation.method.upper()} {operation.path}": operation
    for found in SCHEMA.get_all_operations()
    for operation in [found.ok()]
}
LISTS = frozenset({"tasks", "ids", "projects"})
NOWHERE = ("127.0.0.1", "1")
"""Nothing listens there."""
HOSTS = frozenset({"s3_endpoint", "azure_endpoint", "host", "port", "connection_string"})


def local(name: str, s3: str) -> Any:
    """What stands in a field that says where a bucket is."""
    host, port = NOWHERE
    known = {"s3_endpoint": s3, "azure_endpoint": f"http://{host}:{port}/account", "host": host, "port": port}
    return known.get(name, f"BlobEndpoint=http://{host}:{port}/account;AccountName=account;AccountKey=YS1rZXk=")


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
        "id": ids.get(path.rpartition("/")[0] + "/{id}"),
    }
    return values.get(name)


@st.composite
def cases(draw: st.DrawFn, name: str, world: World, s3: str) -> Case:
    """A request of this operation, valid or not."""
    operation = OPERATIONS[name]
    modes = [GenerationMode.POSITIVE, GenerationMode.NEGATIVE]
    case = draw(st.one_of([operation.as_strategy(generation_mode=mode) for mode in modes]))
    path = operation.path
    for parameter in case.path_parameters or {}:
        before, _, _ = path.partition(f"{{{parameter}}}")
        real = world.ids.get(f"{before}{{{parameter}}}")
        if real is not None and draw(st.integers(0, 3)):
            case.path_parameters[parameter] = str(real)
    grounded(draw, world, path, case.query)
    grounded(draw, world, path, case.body)
    if "/storages/" in path and isinstance(case.body, dict):
        properties = document()["components"]["schemas"][body_name(name)]["properties"]
        case.body.update({field: local(field, s3) for field in HOSTS if field in properties})
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


def body_name(name: str) -> str:
    """The schema of an operation's body."""
    method, path = name.split(" ")
    body = document()["paths"][path][method.lower()]["requestBody"]["content"]["application/json"]["schema"]
    return str(body["$ref"].rpartition("/")[2])
