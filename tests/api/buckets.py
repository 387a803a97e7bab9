"""A place for storages of each type, on a real server of its protocol, for tests that all types pass."""

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import redis
from azure.storage.blob import ContainerClient

from infra.bench.s3_process import GcsServer, S3Server, gcs_server
from infra.emulators import Running
from infra.emulators.azurite import ACCOUNT, KEY
from shared.settings import Settings

TYPES = ["s3", "gcs", pytest.param("azure", marks=pytest.mark.emulator), "localfiles"]
TYPES.append(pytest.param("redis", marks=pytest.mark.emulator))


@dataclass(frozen=True)
class Place:
    """`fields` open it, `put` stores an object (below the folder of a storage of local files)."""

    type: str
    fields: dict[str, Any]
    put: Callable[[str, bytes], Any]

    @property
    def prefix(self) -> str:
        """The field that says what keys start with; "" where there is none."""
        return {"localfiles": "", "redis": "path"}.get(self.type, "prefix")


@pytest.fixture(scope="session")
def gcs_process() -> Iterator[GcsServer]:
    with gcs_server() as server:
        yield server


@pytest.fixture
def settings(settings: Settings, gcs_process: GcsServer) -> Settings:
    return replace(settings, storage_emulator_host=gcs_process.address)


@pytest.fixture(params=TYPES)
def place(request: pytest.FixtureRequest, settings: Settings) -> Iterator[Place]:
    yield from globals()[f"_{request.param}"](request, settings)


def _s3(request: pytest.FixtureRequest, _settings: Settings) -> Iterator[Place]:
    server: S3Server = request.getfixturevalue("s3_process")
    server.reset(everything=True)
    server.bucket("pictures")
    keys = {"aws_access_key_id": "AKIDFORTESTS", "aws_secret_access_key": "a-secret-for-tests"}
    fields = {"bucket": "pictures", "s3_endpoint": server.endpoint, **keys}
    yield Place("s3", fields, lambda key, body: server.put("pictures", key, body))
    server.reset(everything=True)


def _gcs(request: pytest.FixtureRequest, _settings: Settings) -> Iterator[Place]:
    server: GcsServer = request.getfixturevalue("gcs_process")
    server.reset(everything=True)
    server.bucket("pictures")
    yield Place("gcs", {"bucket": "pictures"}, lambda key, body: server.put("pictures", key, body))


def _azure(request: pytest.FixtureRequest, _settings: Settings) -> Iterator[Place]:
    emulator: Running = request.getfixturevalue("azure_emulator")
    endpoint, name = f"{emulator.url}/{ACCOUNT}", f"c{uuid.uuid4().hex}"
    fields = {"container": name, "azure_endpoint": endpoint, "account_name": ACCOUNT, "account_key": KEY}
    with ContainerClient(endpoint, name, credential={"account_name": ACCOUNT, "account_key": KEY}) as client:
        client.create_container()
        yield Place("azure", fields, client.upload_blob)
        client.delete_container()


def _redis(request: pytest.FixtureRequest, _settings: Settings) -> Iterator[Place]:
    emulator: Running = request.getfixturevalue("redis_emulator")
    with redis.Redis(port=emulator.port, db=3) as client:
        client.flushdb()
        fields = {"host": "127.0.0.1", "port": str(emulator.port), "db": 3}
        yield Place("redis", fields, client.set)


def _localfiles(_request: pytest.FixtureRequest, settings: Settings) -> Iterator[Place]:
    folder = Path(settings.local_files_document_root) / "digits"

    def put(key: str, body: bytes) -> None:
        (folder / key).parent.mkdir(parents=True, exist_ok=True)
        (folder / key).write_bytes(body)

    yield Place("localfiles", {"path": str(folder)}, put)
