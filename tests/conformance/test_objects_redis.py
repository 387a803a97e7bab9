"""What only Redis has: no order, no versions, values that are no files, names that are no text."""

import socket

import pytest
import redis

from infra.emulators import Running
from shared.adapters.objects.redis import RedisObjects
from shared.errors import CredentialsError, ObjectError, PrefixEmptyError, StoreError, StoreUnreachableError
from tests.conformance.objects_place import keys_of, listed
from tests.emulators_buckets import redis_emulator

__all__ = ["redis_emulator"]

pytestmark = pytest.mark.emulator


@pytest.fixture
def client(redis_emulator: Running):
    with redis.Redis(port=redis_emulator.port, db=3) as opened:
        opened.flushdb()
        yield opened


@pytest.fixture
def store(redis_emulator: Running, client: redis.Redis):
    opened = RedisObjects("127.0.0.1", port=redis_emulator.port, db=3)
    yield opened
    opened.close()


@pytest.mark.parametrize("prefix", ["a*", "a?", "a[b]", "a[^b]", "a\\", "a-b", "a{", "^"])
def test_a_prefix_is_literal(prefix: str, client: redis.Redis, store: RedisObjects) -> None:
    for key in ("ab", "axb", "a", f"{prefix}here", f"x{prefix}"):
        client.set(key, "")
    assert keys_of(store, prefix) == [f"{prefix}here"]


def test_a_name_that_is_no_text_is_listed_with_a_problem(client: redis.Redis, store: RedisObjects) -> None:
    for name in (b"a\xff", b"a\\xff", b"a\xc3", b"b"):
        client.set(name, b"four")
    found = listed(store, "a")
    named = [(info.key, bool(info.problem)) for info in found]
    assert named == [("a\\xc3", True), ("a\\xff", False), ("a\\xff?", True)]
    assert len({info.key for info in found}) == 3


def test_a_value_that_is_no_string_is_one_objects_problem(client: redis.Redis, store: RedisObjects) -> None:
    client.rpush("list", "x")
    client.hset("hash", "x", "y")
    assert [(info.key, info.size, info.version) for info in listed(store)] == [("hash", 0, "-"), ("list", 0, "-")]
    for key in ("list", "hash"):
        for length in (None, 5):
            with pytest.raises(ObjectError, match="The value is not a string"):
                store.read(key, "-", length=length)
        assert store.stat(key).info.size == 0


def test_a_replaced_value_does_not_count_as_changed(client: redis.Redis, store: RedisObjects) -> None:
    client.set("key", "old")
    before = listed(store)[0]
    client.set("key", "new")
    assert listed(store)[0] == before
    assert store.read("key", before.version) == b"new"


def test_more_keys_than_can_be_sorted_are_told(redis_emulator: Running, client: redis.Redis) -> None:
    client.mset({f"key-{i}": "" for i in range(11)})
    store = RedisObjects(port=redis_emulator.port, db=3, max_keys=10)
    with pytest.raises(StoreError, match="More than 10 keys begin with ''"):
        keys_of(store)
    assert keys_of(store, "key-1") == ["key-1", "key-10"]
    store.close()


def test_check_is_a_sign_of_life(client: redis.Redis, store: RedisObjects) -> None:
    store.check("nothing")
    with pytest.raises(PrefixEmptyError):
        store.check("nothing", need_object=True)
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        dead = RedisObjects("127.0.0.1", port=unused.getsockname()[1], attempts=1)
        with pytest.raises(StoreUnreachableError, match=r"Can't connect to Redis server\."):
            dead.check()


def test_a_wrong_password_is_told(redis_emulator: Running, client: redis.Redis) -> None:
    client.config_set("requirepass", "the-right-one")
    try:
        with pytest.raises(CredentialsError, match="The password is missing or wrong") as caught:
            RedisObjects(port=redis_emulator.port, password="planted-password").check()
        assert "planted" not in str(caught.value)
        with pytest.raises(CredentialsError, match="The password is missing or wrong"):
            RedisObjects(port=redis_emulator.port).check()
        right = RedisObjects(port=redis_emulator.port, password="the-right-one")
        right.check()
        right.close()
    finally:
        client.config_set("requirepass", "")
