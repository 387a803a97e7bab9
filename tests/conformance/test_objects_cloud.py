"""The suite against Google Cloud Storage, Azure and Redis: our own server where there is one, and the emulators."""

import http.client
import json
from collections.abc import Iterator
from itertools import count

import pytest

from infra.bench.s3_process import GcsServer, gcs_server
from infra.emulators import Running
from shared.adapters.objects.gcs import GcsObjects
from tests.conformance.objects import ListingContract, ObjectStoreContract
from tests.conformance.objects_place import Place
from tests.emulators_buckets import gcs_emulator

__all__ = ["gcs_emulator"]

buckets = (f"bucket-{i}" for i in count())


@pytest.fixture(scope="module")
def gcs() -> Iterator[GcsServer]:
    with gcs_server() as server:
        yield server


def gcs_supports(key: str) -> bool:
    """Google refuses two names, line ends, and more than 1,024 bytes."""
    return key not in {".", ".."} and not {"\r", "\n"} & set(key) and len(key.encode()) <= 1024


def gcs_place(server: GcsServer) -> Iterator[Place]:
    name = next(buckets)
    server.bucket(name)
    place = Place(
        store=GcsObjects(name, endpoint=server.endpoint),
        put=lambda key, body: server.put(name, key, body),
        put_many=lambda objects: server.put_many(name, objects),
        remove=lambda key: server.delete(name, key),
        supports=gcs_supports,
        missing=GcsObjects(f"{name}-missing", endpoint=server.endpoint),
    )
    yield place
    close(place)
    server.drop(name)


def close(place: Place) -> None:
    for store in (place.store, place.missing):
        if store:
            store.close()


class TestGcs(ObjectStoreContract):
    @pytest.fixture
    def place(self, gcs: GcsServer) -> Iterator[Place]:
        yield from gcs_place(gcs)


class TestGcsInSmallPages(ListingContract):
    """So that pages end within, before and behind folders, and empty ones with a token come between."""

    @pytest.fixture
    def place(self, gcs: GcsServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
        monkeypatch.setattr("shared.adapters.objects.gcs.PAGE", 2)
        gcs.empty_pages(1)
        yield from gcs_place(gcs)
        gcs.empty_pages(0)


@pytest.mark.emulator
class TestFakeGcs(ObjectStoreContract):
    """Another's idea of the same protocol. It slows down with size, so the long listings are left to our own."""

    @pytest.fixture
    def place(self, gcs_emulator: Running) -> Iterator[Place]:
        name = next(buckets)
        connection = http.client.HTTPConnection(gcs_emulator.host, timeout=10)
        connection.request("POST", "/storage/v1/b?project=demo", json.dumps({"name": name}))
        assert connection.getresponse().read()
        connection.close()
        store = GcsObjects(name, endpoint=gcs_emulator.url)
        place = Place(
            store=store,
            put=lambda key, body: store.write(key, body, content_type="text/plain"),
            remove=store.delete,
            supports=gcs_supports,
            missing=GcsObjects(f"{name}-missing", endpoint=gcs_emulator.url),
        )
        yield place
        close(place)

    test_many_objects_come_in_pages = None  # type: ignore[assignment]
    test_a_listing_survives_changes_between_its_pages = None  # type: ignore[assignment]
