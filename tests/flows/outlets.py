"""A place for targets of each type, on a real server of its protocol, that tests look into past the product."""

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import redis
from azure.core.exceptions import ResourceNotFoundError
from azure.storage.blob import ContainerClient

from infra.emulators.azurite import ACCOUNT, KEY

TYPES = ["s3", "gcs", "localfiles"]
TYPES += [pytest.param(name, marks=pytest.mark.emulator) for name in ("azure", "redis")]


class Outlet(NamedTuple):
    """`fields` open it; `folder` is the field that says what keys start with, "" for none."""

    type: str
    folder: str
    fields: dict[str, Any]
    keys: Callable[[], list[str]]
    get: Callable[[str], bytes | None]
    content_type: Callable[[str], str]


@contextmanager
def _server(type: str, server: Any, fields: dict[str, Any]) -> Iterator[Outlet]:  # noqa: A002
    server.reset(everything=True)
    server.bucket("bucket")
    yield Outlet(
        type,
        "prefix",
        {"bucket": "bucket", **fields},
        lambda: server.keys("bucket"),
        lambda key: server.get("bucket", key),
        lambda key: {name.lower(): value for name, value in server.about("bucket", key).items()}["content-type"],
    )


@contextmanager
def _azure(endpoint: str) -> Iterator[Outlet]:
    name = f"c{uuid.uuid4().hex}"
    fields = {"container": name, "azure_endpoint": endpoint, "account_name": ACCOUNT, "account_key": KEY}
    with ContainerClient(endpoint, name, credential={"account_name": ACCOUNT, "account_key": KEY}) as client:
        client.create_container()

        def get(key: str) -> bytes | None:
            try:
                return bytes(client.download_blob(key).readall())
            except ResourceNotFoundError:
                return None

        def content_type(key: str) -> str:
            return str(client.get_blob_client(key).get_blob_properties().content_settings.content_type)

        yield Outlet("azure", "prefix", fields, lambda: sorted(client.list_blob_names()), get, content_type)
        client.delete_container()


@contextmanager
def _redis(port: int) -> Iterator[Outlet]:
    with redis.Redis(port=port, db=4) as client:
        client.flushdb()

        def keys() -> list[str]:
            return sorted(key.decode() for key in client.scan_iter())

        fields = {"host": "127.0.0.1", "port": str(port), "db": 4}
        yield Outlet("redis", "path", fields, keys, client.get, lambda _key: "")  # type: ignore[arg-type]


@contextmanager
def _folder(root: Path) -> Iterator[Outlet]:
    root.mkdir()

    def keys() -> list[str]:
        return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())

    def get(key: str) -> bytes | None:
        try:
            return (root / key).read_bytes()
        except FileNotFoundError:
            return None

    yield Outlet("localfiles", "", {"path": str(root)}, keys, get, lambda _key: "")


@pytest.fixture(params=TYPES)
def outlet(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Outlet]:
    """One of each type."""
    made: Any
    if request.param == "s3":
        s3 = request.getfixturevalue("s3")
        keys = {"aws_access_key_id": "key", "aws_secret_access_key": "secret", "s3_endpoint": s3.endpoint}
        made = _server("s3", s3, keys)
    elif request.param == "gcs":
        made = _server("gcs", request.getfixturevalue("gcs"), {})
    elif request.param == "azure":
        made = _azure(f"{request.getfixturevalue('azure_emulator').url}/{ACCOUNT}")
    elif request.param == "redis":
        made = _redis(request.getfixturevalue("redis_emulator").port)
    else:
        made = _folder(tmp_path / "outlet")
    with made as one:
        yield one
