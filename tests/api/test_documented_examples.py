"""The examples of the document are taken by the server, with the ids of what is there in place of theirs."""

import copy
from typing import Any

import pytest

from shared.settings import Settings
from tests.api.client import Api
from tests.api.documented import document
from tests.api.fuzzing import LISTS, Servers, known, local, offline, servers
from tests.api.world import make

__all__ = ["servers"]
EXAMPLES = {
    f"{method.upper()} {path}": operation["requestBody"]["content"]["application/json"]["example"]
    for path, operations in document()["paths"].items()
    for method, operation in operations.items()
    if "requestBody" in operation
}
HOSTS = {"s3": ("s3_endpoint",), "azure": ("azure_endpoint",), "redis": ("host", "port")}
UNREACHABLE = {"non_field_errors"}


@pytest.fixture
def settings(settings: Settings, servers: Servers) -> Settings:
    return offline(settings, servers.http)


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_is_taken(api: Api, servers: Servers, name: str):
    world = make(api, "examples")
    method, template = name.split(" ")
    body = copy.deepcopy(EXAMPLES[name])
    storage = template.startswith("/api/storages/")
    for fields in body if isinstance(body, list) else [body]:
        for field in fields:
            real = known(world, field, template)
            if real is not None:
                fields[field] = [real] if field in LISTS else real
    if storage:
        kind = template.removeprefix("/api/storages/").removeprefix("export/").split("/")[0]
        hosts = next((hosts for store, hosts in HOSTS.items() if kind.startswith(store) and kind != "azure_spi"), ())
        body |= {field: local(field, servers) for field in hosts}
    answer = api.http.request(method, world.path(template), json=body)
    if storage and answer.status_code == 400:  # the fields are right, but the bucket is not there
        assert {*answer.json()["validation_errors"]} == UNREACHABLE, answer.text
    else:
        assert answer.status_code in {200, 201, 204}, answer.text


def test_a_wrong_example_would_be_seen(api: Api):
    project: Any = api.project()
    assert {*api.post("/api/storages/s3/", {"project": project, "bucket": "!"}, 400)["validation_errors"]} == {"bucket"}
