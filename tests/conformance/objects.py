"""What every object store must do, sentence by sentence of the port. A subclass provides the `place`."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import product

import pytest

from shared.errors import (
    BucketNotFoundError,
    InvalidKeyError,
    ObjectError,
    ObjectNotFoundError,
    PrefixEmptyError,
    VersionMismatchError,
)
from shared.ports import ObjectStore
from tests.conformance.objects_place import PROBES, TREE, WEIRD_KEYS, Place, keys_of, listed, odd_keys
from tests.conformance.objects_writing import WritingContract


class ListingContract:
    """What the port says of keys in listings. Every test has a place of its own, empty at first."""

    @pytest.fixture
    def place(self) -> Place | Iterator[Place]:
        raise NotImplementedError

    @pytest.fixture
    def store(self, place: Place) -> ObjectStore:
        return place.store

    def test_every_legal_key_is_listed_unchanged(self, place: Place, store: ObjectStore) -> None:
        keys = [key for key in WEIRD_KEYS if place.supports(key)]
        place.fill(keys)
        found = listed(store)
        assert sorted(info.key for info in found) == sorted(keys)
        assert not any(info.problem for info in found)

    def test_a_listing_is_in_the_order_of_sort_key(self, place: Place, store: ObjectStore) -> None:
        keys = [key for key in dict.fromkeys([*reversed(TREE), *WEIRD_KEYS]) if place.supports(key)]
        place.fill(keys)
        if store.order == "none":
            pytest.skip("this store does not sort")
        found = keys_of(store)
        assert found == sorted(keys, key=store.sort_key)
        assert len({store.sort_key(key) for key in keys}) == len(keys)

    def test_sort_key_is_that_of_the_declared_order(self, store: ObjectStore) -> None:
        wanted = {"bytes": ["\uff5e", "\U0001f600"], "utf16": ["\U0001f600", "\uff5e"]}
        if store.order in wanted:
            assert sorted(["\U0001f600", "\uff5e"], key=store.sort_key) == wanted[store.order]
        dash_first = store.order in wanted
        assert sorted(["a/b", "a-b"], key=store.sort_key) == (["a-b", "a/b"] if dash_first else ["a/b", "a-b"])

    @pytest.mark.parametrize("recursive", [True, False])
    def test_prefix_and_after_select(self, recursive: bool, place: Place, store: ObjectStore) -> None:
        keys = [key for key in TREE if place.supports(key)]
        place.fill(keys)
        in_order = sorted(keys, key=store.sort_key)
        for prefix, after in product(PROBES, ["", *PROBES, *TREE]):
            wanted = [
                key
                for key in in_order
                if key.startswith(prefix)
                and (not after or store.sort_key(key) > store.sort_key(after))
                and (recursive or "/" not in key[len(prefix) :])
            ]
            assert keys_of(store, prefix, after, recursive=recursive) == wanted, (prefix, after)

    def test_folder_markers_are_listed_like_any_other_key(self, place: Place, store: ObjectStore) -> None:
        keys = ["dir/", "dir/a", "dir/sub/", "dir/sub/b", "top"]
        if not place.supports("dir/"):
            pytest.skip("no key ends in a slash here")
        place.fill(keys)
        assert keys_of(store) == keys
        assert keys_of(store, "dir/", recursive=False) == ["dir/", "dir/a"]
        assert keys_of(store, recursive=False) == ["top"]

    def test_an_empty_store_has_no_objects(self, store: ObjectStore) -> None:
        assert listed(store) == []
        assert listed(store, "some/prefix", "some/prefix/after", recursive=False) == []

    def test_a_listing_does_nothing_before_it_is_asked(self, place: Place) -> None:
        if place.missing is None:
            pytest.skip("this store is always there")
        pages = place.missing.pages()
        with pytest.raises(BucketNotFoundError):
            next(pages)


class ObjectStoreContract(ListingContract, WritingContract):
    """The whole suite, but for signed URLs: a store has one of the contracts in `objects_signing` beside it."""

    @pytest.mark.parametrize("key", WEIRD_KEYS, ids=lambda key: ascii(key)[:40])
    def test_every_legal_key_can_be_used(self, key: str, place: Place, store: ObjectStore) -> None:
        if not place.supports(key):
            with pytest.raises(InvalidKeyError):
                store.write(key, b"body", content_type="text/plain")
            with pytest.raises(ObjectNotFoundError):
                store.stat(key)
            with pytest.raises(ObjectNotFoundError):
                store.read(key, "version")
            store.delete(key)
            return
        version = store.write(key, b"body", content_type="text/plain")
        decoy = key.strip("/") or "decoy"
        if decoy != key and place.supports(decoy):
            place.put(decoy, b"another object")
        assert store.stat(key).info.key == key
        assert store.read(key, version) == b"body"
        assert store.read(key, version, offset=1, length=2) == b"od"
        assert key in keys_of(store)
        assert keys_of(store, prefix=key)[:1] == [key]
        newer = store.write(key, b"newer", content_type="text/plain")
        assert store.read(key, newer) == b"newer"
        for limits in ({}, {"offset": 1, "length": 2}) if place.versioned else ():
            with pytest.raises(VersionMismatchError):
                store.read(key, version, **limits)
        assert key not in keys_of(store, after=key)
        store.delete(key)
        assert key not in keys_of(store)
        with pytest.raises(ObjectNotFoundError):
            store.stat(key)

    @pytest.mark.parametrize("key", ["", "half-\ud800", "\udcff"], ids=ascii)
    def test_what_is_no_key_is_refused(self, key: str, store: ObjectStore) -> None:
        with pytest.raises(InvalidKeyError):
            store.write(key, b"", content_type="text/plain")
        with pytest.raises(ObjectNotFoundError):
            store.stat(key)
        with pytest.raises(ObjectNotFoundError):
            store.read(key, "version")
        store.delete(key)
        assert keys_of(store) == []

    def test_uris_tell_keys_apart(self, store: ObjectStore) -> None:
        uris = {store.uri(key) for key in WEIRD_KEYS}
        assert len(uris) == len(WEIRD_KEYS)

    def test_many_objects_come_in_pages(self, place: Place, store: ObjectStore) -> None:
        keys = [f"many/{i:05d}" for i in range(2300)]
        place.fill(keys)
        pages = list(store.pages("many/"))
        assert [info.key for page in pages for info in page] == keys
        assert max(map(len, pages)) <= 1100
        assert keys_of(store, "many/", "many/01149") == keys[1150:]
        assert keys_of(store, "many/", "many/011495") == keys[1150:]

    def test_a_listing_survives_changes_between_its_pages(self, place: Place, store: ObjectStore) -> None:
        stay = [f"{folder}/{i:04d}" for folder in "ace" for i in range(800)]
        leave = [f"b/{i}" for i in range(3)] + [f"d/{i}" for i in range(3)]
        place.fill([*stay, *leave])
        pages = store.pages()
        found = [info.key for info in next(pages)]
        for key in leave:
            place.remove(key)
        place.fill(["a/0000-early", "d/new/deep", "f/late"])
        found += [info.key for page in pages for info in page]
        assert [key for key in found if key in set(stay)] == stay
        assert found == sorted(set(found), key=store.sort_key)

    def test_thousands_of_odd_keys_are_listed_resumed_and_read(self, place: Place, store: ObjectStore) -> None:
        keys = sorted(filter(place.supports, odd_keys(place.many)), key=store.sort_key)
        place.fill(keys)
        found = listed(store)
        assert [info.key for info in found] == keys
        for info in found[:: len(found) // 25]:
            assert store.read(info.key, info.version) == info.key.encode()
            assert store.read(info.key, info.version, offset=1, length=3) == info.key.encode()[1:4]
        third, half = len(keys) // 3, len(keys) // 2
        assert keys_of(store, after=keys[third]) == keys[third + 1 :]
        # What a later run finds behind a key where an earlier one ended, also if that key is gone by then.
        leave = [keys[third], keys[half], keys[-1]]
        come = [key for key in (keys[half] + "!", keys[-1] + "!") if place.supports(key)]
        for key in leave:
            place.remove(key)
        place.fill(come)
        left = sorted({*keys[third:], *come} - {*leave}, key=store.sort_key)
        assert keys_of(store, after=keys[third]) == left

    def test_listed_and_stated_are_the_same(self, place: Place, store: ObjectStore) -> None:
        version = store.write("folder/object", b"12345", content_type="text/plain")
        info = store.stat("folder/object").info
        assert info == listed(store)[0]
        assert (info.key, info.size, info.version, info.problem) == ("folder/object", 5, version, "")

    # Reading.

    @pytest.mark.parametrize("body", [b"", b"1", bytes(range(256)), b"big" * 700_000], ids=["0", "1", "256", "2 MB"])
    def test_a_body_comes_back(self, body: bytes, store: ObjectStore) -> None:
        version = store.write("object", body, content_type="application/octet-stream")
        assert store.read("object", version) == body
        assert isinstance(store.read("object", version), bytes)
        assert store.stat("object").info.size == len(body)

    @pytest.mark.parametrize("offset", [0, 1, 9, 10, 11])
    @pytest.mark.parametrize("length", [None, 0, 1, 5, 10, 1000])
    def test_a_range_comes_back(self, offset: int, length: int | None, store: ObjectStore) -> None:
        body = b"0123456789"
        version = store.write("object", body, content_type="text/plain")
        wanted = body[offset:] if length is None else body[offset : offset + length]
        assert store.read("object", version, offset=offset, length=length) == wanted
        empty = store.write("empty", b"", content_type="text/plain")
        assert store.read("empty", empty, offset=offset, length=length) == b""

    def test_a_replaced_object_is_not_read(self, place: Place, store: ObjectStore) -> None:
        if not place.versioned:
            pytest.skip("this store has no versions")
        old = store.write("object", b"first", content_type="text/plain")
        new = store.write("object", b"other", content_type="text/plain")
        assert old != new
        for limits in ({}, {"offset": 1}, {"length": 2}, {"offset": 2, "length": 1}, {"length": 0}, {"offset": 99}):
            with pytest.raises(VersionMismatchError):
                store.read("object", old, **limits)
        assert store.read("object", new) == b"other"
        assert store.stat("object").version == new

    def test_versions_differ_whenever_the_content_does(self, place: Place, store: ObjectStore) -> None:
        if not place.versioned:
            pytest.skip("this store has no versions")
        versions = [store.write("object", str(i).encode(), content_type="text/plain") for i in range(10)]
        assert len(set(versions)) == len(versions)

    def test_many_threads_read_at_once(self, store: ObjectStore) -> None:
        bodies = {f"object-{i}": str(i).encode() * 50 for i in range(40)}
        versions = {key: store.write(key, body, content_type="text/plain") for key, body in bodies.items()}
        wanted = list(bodies) * 5
        with ThreadPoolExecutor(16) as pool:
            found = list(pool.map(lambda key: store.read(key, versions[key]), wanted))
        assert found == [bodies[key] for key in wanted]

    # What is not there.

    def test_a_missing_object_is_told(self, store: ObjectStore) -> None:
        version = store.write("there", b"", content_type="text/plain")
        for key in ("missing", "missing/too", "there/not", "ther", "there."):
            with pytest.raises(ObjectNotFoundError):
                store.stat(key)
            with pytest.raises(ObjectNotFoundError):
                store.read(key, version)
            store.delete(key)
        assert keys_of(store) == ["there"]

    def test_a_deleted_object_is_gone(self, store: ObjectStore) -> None:
        version = store.write("object", b"body", content_type="text/plain")
        store.delete("object")
        store.delete("object")
        with pytest.raises(ObjectNotFoundError):
            store.read("object", version)
        assert keys_of(store) == []

    def test_a_missing_bucket_is_told(self, place: Place) -> None:
        missing = place.missing
        if missing is None:
            pytest.skip("this store is always there")
        attempts: list[Callable[[], object]] = [
            missing.check,
            lambda: missing.check("prefix", need_object=True),
            lambda: listed(missing),
            lambda: missing.stat("key"),
            lambda: missing.read("key", "version"),
            lambda: missing.write("key", b"", content_type="text/plain"),
        ]
        for attempt in attempts:
            with pytest.raises(BucketNotFoundError) as caught:
                attempt()
            assert not isinstance(caught.value, ObjectError)
            assert caught.value.permanent

    def test_check_looks_for_an_object_if_one_is_needed(self, place: Place, store: ObjectStore) -> None:
        store.check()
        store.check("no/such/prefix")
        with pytest.raises(PrefixEmptyError):
            store.check(need_object=True)
        place.put("dir/object", b"")
        store.check(need_object=True)
        store.check("dir/", need_object=True)
        store.check("dir/obj", need_object=True)
        with pytest.raises(PrefixEmptyError):
            store.check("dir/x", need_object=True)
