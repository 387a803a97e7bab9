"""The suite against Google Cloud Storage, Azure and Redis: our own server where there is one, and the emulators."""

import http.client
import json
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import pytest
import redis
from azure.storage.blob import ContainerClient

from infra.bench.s3_process import GcsServer, gcs_server
from infra.emulators import Running
from infra.emulators.azurite import ACCOUNT, KEY
from shared.adapters.objects.azure import AzureObjects
from shared.adapters.objects.gcs import GcsObjects
from shared.adapters.objects.redis import RedisObjects
from tests.conformance.objects import ListingContract, ObjectStoreContract
from tests.conformance.objects_place import Place
from tests.conformance.objects_signing import SigningContract, UnsignedContract
from tests.emulators_buckets import azure_emulator, gcs_emulator, redis_emulator
from tests.identities import own_key, public, service_account

__all__ = ["azure_emulator", "gcs_emulator", "own_key", "redis_emulator"]

buckets = (f"bucket-{i}" for i in count())


@pytest.fixture(scope="module")
def gcs() -> Iterator[GcsServer]:
    with gcs_server() as server:
        yield server


def gcs_supports(key: str) -> bool:
    """Google refuses two names, line ends, and more than 1,024 bytes."""
    return key not in {".", ".."} and not {"\r", "\n"} & set(key) and len(key.encode()) <= 1024


def gcs_place(server: GcsServer, key: str = "") -> Iterator[Place]:
    name = next(buckets)
    server.bucket(name)
    account = service_account(key, f"{server.endpoint}/token") if key else None
    server.signers(public_key=public(key) if key else "")
    place = Place(
        store=GcsObjects(name, endpoint=server.endpoint, credentials_json=account),
        put=lambda key, body: server.put(name, key, body),
        put_many=lambda objects: server.put_many(name, objects),
        remove=lambda key: server.delete(name, key),
        supports=gcs_supports,
        missing=GcsObjects(f"{name}-missing", endpoint=server.endpoint),
        verifies=bool(key),
        through=lambda port: GcsObjects(name, endpoint=f"http://127.0.0.1:{port}"),
        port=int(server.address.rpartition(":")[2]),
        verbs=("POST ", "DELETE "),
    )
    yield place
    close(place)
    server.drop(name)


def close(place: Place) -> None:
    for store in (place.store, place.missing):
        if store:
            store.close()


class TestGcs(ObjectStoreContract, SigningContract):
    @pytest.fixture
    def place(self, gcs: GcsServer, own_key: str) -> Iterator[Place]:
        yield from gcs_place(gcs, own_key)


class TestGcsInSmallPages(ListingContract):
    """So that pages end within, before and behind folders, and empty ones with a token come between."""

    @pytest.fixture
    def place(self, gcs: GcsServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
        monkeypatch.setattr("shared.adapters.objects.gcs.PAGE", 2)
        gcs.empty_pages(1)
        yield from gcs_place(gcs)
        gcs.empty_pages(0)


@pytest.mark.emulator
class TestFakeGcs(ObjectStoreContract, SigningContract):
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
            many=300,
            missing=GcsObjects(f"{name}-missing", endpoint=gcs_emulator.url),
            deletes_conditionally=False,
            types=("text/plain",),  # it gives what was stored
            through=lambda port: GcsObjects(name, endpoint=f"http://127.0.0.1:{port}"),
            port=gcs_emulator.port,
            verbs=("POST ", "DELETE "),
        )
        yield place
        close(place)

    test_many_objects_come_in_pages = None  # type: ignore[assignment]
    test_a_listing_survives_changes_between_its_pages = None  # type: ignore[assignment]


def put_all(store: AzureObjects, objects: Mapping[str, bytes]) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda item: store.write(*item, content_type="text/plain"), objects.items()))


def azure_place(emulator: Running) -> Iterator[Place]:
    """Azurite writes some 200 blobs a second: 900 have to do, and the tests with thousands are left out."""
    name, endpoint = next(buckets), f"{emulator.url}/{ACCOUNT}"
    with ContainerClient(endpoint, name, credential={"account_name": ACCOUNT, "account_key": KEY}) as container:
        container.create_container()

        def connect(endpoint: str) -> AzureObjects:
            return AzureObjects(name, account_name=ACCOUNT, account_key=KEY, endpoint=endpoint)

        store = connect(endpoint)
        place = Place(
            store=store,
            put=lambda key, body: store.write(key, body, content_type="text/plain"),
            remove=store.delete,
            put_many=lambda objects: put_all(store, objects),
            supports=lambda key: not {"\\", "\x01", "\ufffe"} & set(key),
            many=900,
            verifies=True,
            missing=AzureObjects(f"{name}-missing", account_name=ACCOUNT, account_key=KEY, endpoint=endpoint),
            through=lambda port: connect(f"http://127.0.0.1:{port}/{ACCOUNT}"),
            port=emulator.port,
        )
        yield place
        close(place)
        container.delete_container()


@pytest.mark.emulator
class TestAzure(ObjectStoreContract, SigningContract):
    @pytest.fixture
    def place(self, azure_emulator: Running) -> Iterator[Place]:
        yield from azure_place(azure_emulator)

    test_many_objects_come_in_pages = None  # type: ignore[assignment]
    test_a_listing_survives_changes_between_its_pages = None  # type: ignore[assignment]


@pytest.mark.emulator
class TestAzureInSmallPages(ListingContract):
    @pytest.fixture
    def place(self, azure_emulator: Running, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
        monkeypatch.setattr("shared.adapters.objects.azure.PAGE", 3)
        yield from azure_place(azure_emulator)


def redis_place(emulator: Running, *, versions: bool = False) -> Iterator[Place]:
    """Database 0, which is not "no database"."""

    def store(port: int = emulator.port) -> RedisObjects:
        return RedisObjects("127.0.0.1", port=str(port), db=0, versions=versions)

    with redis.Redis(port=emulator.port, db=0) as client:
        client.flushdb()
        place = Place(
            store=store(),
            put=client.set,
            put_many=lambda objects: client.mset(objects),
            remove=client.delete,
            versioned=versions,
            through=store,
            port=emulator.port,
            verbs=("EVAL", "EVAL"),
        )
        yield place
        close(place)


@pytest.mark.emulator
class TestRedis(ObjectStoreContract, UnsignedContract):
    @pytest.fixture
    def place(self, redis_emulator: Running) -> Iterator[Place]:
        yield from redis_place(redis_emulator)


@pytest.mark.emulator
class TestRedisWithVersions(ObjectStoreContract, UnsignedContract):
    """As a target uses it."""

    @pytest.fixture
    def place(self, redis_emulator: Running) -> Iterator[Place]:
        yield from redis_place(redis_emulator, versions=True)


@pytest.mark.emulator
class TestRedisInSmallPages(ListingContract):
    @pytest.fixture
    def place(self, redis_emulator: Running, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
        monkeypatch.setattr("shared.adapters.objects.redis.PAGE", 3)
        monkeypatch.setattr("shared.adapters.objects.redis.SCAN_COUNT", 1)
        yield from redis_place(redis_emulator)
