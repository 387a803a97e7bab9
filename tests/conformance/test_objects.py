"""The suite against each object store."""

import os
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from infra.bench.s3_process import S3Server, s3_server
from shared.adapters.objects.folder import FolderObjects
from shared.adapters.objects.memory import MemoryObjects
from shared.adapters.objects.s3 import S3Objects
from tests.conformance.objects import ListingContract, ObjectStoreContract
from tests.conformance.objects_place import Place
from tests.conformance.objects_signing import SigningContract, UnsignedContract

buckets = (f"bucket-{i}" for i in count())


@pytest.fixture(scope="module")
def s3() -> Iterator[S3Server]:
    with s3_server() as server:
        yield server


def s3_place(server: S3Server) -> Iterator[Place]:
    name = next(buckets)
    server.bucket(name)
    server.signers(secret="secret")

    def store(bucket: str, endpoint: str = server.endpoint) -> S3Objects:
        return S3Objects(bucket, endpoint=endpoint, access_key="AKIDEXAMPLE", secret_key="secret")

    place = Place(
        store=store(name),
        put=lambda key, body: server.put(name, key, body),
        put_many=lambda objects: server.put_many(name, objects),
        remove=lambda key: server.delete(name, key),
        missing=store(f"{name}-missing"),
        verifies=True,
        through=lambda port: store(name, f"http://127.0.0.1:{port}"),
        port=int(server.address.rpartition(":")[2]),
    )
    yield place
    for opened in (place.store, place.missing):
        assert opened
        opened.close()
    server.drop(name)


def folder_place(root: Path) -> Place:
    """A file system has no key with an empty or dotted segment, nor a name of more than 255 bytes."""

    def supports(key: str) -> bool:
        parts = key.split("/")
        return not {"", ".", ".."} & set(parts) and all(len(part.encode()) <= 255 for part in parts)

    def put(key: str, body: bytes) -> None:
        path = root / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)

    root.mkdir()
    return Place(
        store=FolderObjects(str(root), uri_prefix="/data/local-files/?d="),
        put=put,
        remove=lambda key: os.unlink(root / key),
        supports=supports,
        missing=FolderObjects(str(root.parent / "missing"), uri_prefix="/data/local-files/?d="),
    )


class TestMemory(ObjectStoreContract, UnsignedContract):
    @pytest.fixture
    def place(self) -> Place:
        store = MemoryObjects()
        return Place(store=store, put=store.put, remove=store.remove)


class TestMemoryInSmallPages(ListingContract):
    @pytest.fixture
    def place(self) -> Place:
        store = MemoryObjects(page_size=3)
        return Place(store=store, put=store.put, remove=store.remove)


class TestFolder(ObjectStoreContract, UnsignedContract):
    @pytest.fixture
    def place(self, tmp_path: Path) -> Place:
        return folder_place(tmp_path / "root")


class TestS3(ObjectStoreContract, SigningContract):
    @pytest.fixture
    def place(self, s3: S3Server) -> Iterator[Place]:
        yield from s3_place(s3)


class TestS3InSmallPages(ListingContract):
    """So that pages end within, before and behind folders."""

    @pytest.fixture
    def place(self, s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
        monkeypatch.setattr("shared.adapters.objects.s3.PAGE", 2)
        yield from s3_place(s3)
