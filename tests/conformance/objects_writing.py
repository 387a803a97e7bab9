"""What the port says of writing and deleting, part of the suite in `objects`."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from shared.errors import ObjectNotFoundError, StoreError, VersionMismatchError, WriteUnknownError
from shared.ports import ObjectStore
from shared.services.storages.probing import ProbeResult, probe_target
from tests.conformance.objects_place import Place, keys_of, listed
from tests.cutting_proxy import CuttingProxy, cutting_proxy

ABOUT = {"revision": "42", "writer": "a-b_c/d=e+f %41 (g); \"h\", 'i'"}
TEXT = {"content_type": "text/plain"}


class WritingContract:
    """Needs the fixtures `place` and `store`."""

    @pytest.fixture
    def conditional(self, store: ObjectStore) -> ObjectStore:
        if not store.conditional:
            pytest.skip("this store does not promise it")
        return store

    # Content type and metadata.

    @pytest.mark.parametrize("key", ["object", "weird//key/../\x01"], ids=["plain", "weird"])
    def test_content_type_and_metadata_are_kept(self, key: str, place: Place, store: ObjectStore) -> None:
        if not place.supports(key):
            pytest.skip("there is no such key here")
        store.write(key, b"1", content_type="application/json", metadata=ABOUT)
        found = store.stat(key)
        kept = ("application/json", ABOUT) if store.keeps_metadata else ("", {})
        assert (found.content_type, dict(found.metadata)) == kept
        assert found.info == listed(store)[0]
        assert found.version == found.info.version
        # What is written next has metadata of its own.
        store.write(key, b"2", content_type="text/plain", metadata={"other": "x"})
        now = store.stat(key)
        assert (now.content_type, dict(now.metadata)) == (
            ("text/plain", {"other": "x"}) if store.keeps_metadata else ("", {})
        )
        store.write(key, b"3", **TEXT)
        assert not store.stat(key).metadata

    @pytest.mark.parametrize(
        "metadata",
        [
            {"Upper": "x"},
            {"under_score": "x"},
            {"da-sh": "x"},
            {"1st": "x"},
            {"": "x"},
            {"name\n": "x"},
            {"name": ""},
            {"name": " blank"},
            {"name": "blank "},
            {"name": "caf\u00e9"},
            {"name": "two\r\nlines"},
            {"name": "x" * 1997},
        ],
        ids=lambda metadata: ascii(metadata)[:30],
    )
    def test_metadata_that_not_every_store_can_keep_is_refused(
        self, metadata: dict[str, str], store: ObjectStore
    ) -> None:
        with pytest.raises(ValueError, match="metadata"):
            store.write("object", b"", metadata=metadata, **TEXT)
        assert keys_of(store) == []

    def test_twenty_megabytes_are_fine(self, store: ObjectStore) -> None:
        body = bytes(range(256)) * 80 * 1024
        version = store.write("object", body, content_type="application/octet-stream", expect="")
        assert store.stat("object").info == listed(store)[0]
        assert store.read("object", version) == body

    # Expectations.

    def test_what_is_not_promised_is_not_looked_at(self, store: ObjectStore) -> None:
        if store.conditional:
            pytest.skip("this store honours it")
        store.write("object", b"1", expect="any", **TEXT)
        version = store.write("object", b"2", expect="", **TEXT)
        assert store.read("object", version) == b"2"
        store.delete("object", expect="any")
        assert keys_of(store) == []

    @pytest.mark.parametrize("key", ["object", "weird//key/../\x01"], ids=["plain", "weird"])
    def test_a_write_may_be_conditional(self, key: str, place: Place, conditional: ObjectStore) -> None:
        store = conditional
        if not place.supports(key):
            pytest.skip("there is no such key here")
        first = store.write(key, b"1", expect="", **TEXT)
        with pytest.raises(VersionMismatchError):
            store.write(key, b"2", expect="", **TEXT)
        second = store.write(key, b"2", expect=first, **TEXT)
        assert second != first
        with pytest.raises(VersionMismatchError):
            store.write(key, b"3", expect=first, **TEXT)
        assert store.read(key, second) == b"2"
        for strange in ("no-version", "1", "0", "-", "*"):
            with pytest.raises(VersionMismatchError):
                store.write(key, b"4", expect=strange, **TEXT)
            with pytest.raises(VersionMismatchError):
                store.write("absent", b"", expect=strange, **TEXT)
        with pytest.raises(VersionMismatchError):
            store.write("absent", b"", expect=second, **TEXT)
        assert keys_of(store) == [key]
        # What the listing says will do as well.
        store.write(key, b"5", expect=listed(store)[0].version, **TEXT)
        assert store.read(key, store.stat(key).version) == b"5"

    @pytest.mark.parametrize("key", ["object", "weird//key/../\x01"], ids=["plain", "weird"])
    def test_a_delete_may_be_conditional(self, key: str, place: Place, conditional: ObjectStore) -> None:
        store = conditional
        if not place.supports(key):
            pytest.skip("there is no such key here")
        if not place.deletes_conditionally:
            pytest.skip("this server does not look at it")
        first = store.write(key, b"1", **TEXT)
        second = store.write(key, b"2", **TEXT)
        for expect in (first, "", "no-version", "0"):
            with pytest.raises(VersionMismatchError):
                store.delete(key, expect=expect)
        assert store.read(key, second) == b"2"
        store.delete(key, expect=second)
        assert keys_of(store) == []
        for expect in (second, first, "", "no-version"):
            store.delete(key, expect=expect)
        assert store.write(key, b"3", expect="", **TEXT)

    @pytest.mark.parametrize("prefix", ["", "some/prefix/", "literal-"])
    def test_a_probe_finds_what_is_promised_and_leaves_nothing(
        self, prefix: str, place: Place, store: ObjectStore
    ) -> None:
        deletes = store.conditional and place.deletes_conditionally
        wanted = ProbeResult(store.conditional, deletes, store.keeps_metadata, deletes=True)
        place.fill(["some/prefix/object"])
        with ThreadPoolExecutor(4) as pool:
            assert list(pool.map(lambda _: probe_target(store, prefix), range(4))) == [wanted] * 4
        assert keys_of(store) == ["some/prefix/object"]

    # At the same time.

    def test_of_many_conditional_writes_one_wins(self, conditional: ObjectStore) -> None:
        store = conditional

        def attempt(i: int) -> str | None:
            with suppress(VersionMismatchError):
                return store.write("object", str(i).encode(), expect="", **TEXT)
            return None

        with ThreadPoolExecutor(8) as pool:
            versions = [version for version in pool.map(attempt, range(16)) if version]
        assert len(versions) == 1
        assert store.stat("object").version == versions[0]

    def test_no_increment_is_lost(self, conditional: ObjectStore) -> None:
        store = conditional
        store.write("counter", b"0", expect="", **TEXT)

        def increment(_: int) -> None:
            while True:
                with suppress(VersionMismatchError):
                    version = store.stat("counter").version
                    now = int(store.read("counter", version))
                    store.write("counter", str(now + 1).encode(), expect=version, **TEXT)
                    return

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(increment, range(20)))
        assert store.read("counter", store.stat("counter").version) == b"20"

    def test_of_a_write_and_a_delete_one_wins(self, place: Place, conditional: ObjectStore) -> None:
        store = conditional
        if not place.deletes_conditionally:
            pytest.skip("this server does not look at it")

        def done(change: Callable[[], object]) -> bool:
            try:
                change()
            except VersionMismatchError:
                return False
            return True

        with ThreadPoolExecutor(2) as pool:
            for i in range(15):
                version = store.write("object", f"before {i}".encode(), **TEXT)
                body = f"after {i}".encode()
                writing = pool.submit(done, lambda: store.write("object", body, expect=version, **TEXT))  # noqa: B023
                deleting = pool.submit(done, lambda: store.delete("object", expect=version))  # noqa: B023
                wrote, deleted = writing.result(), deleting.result()
                assert wrote != deleted, i
                assert keys_of(store) == (["object"] if wrote else [])

    # Answers that are lost.

    @pytest.fixture
    def proxy(self, place: Place) -> Iterator[CuttingProxy]:
        if place.through is None:
            pytest.skip("nothing lies between")
        with cutting_proxy(place.port) as proxy:
            yield proxy

    @pytest.fixture
    def distant(self, place: Place, proxy: CuttingProxy, monkeypatch: pytest.MonkeyPatch) -> Iterator[ObjectStore]:
        monkeypatch.setattr("shared.adapters.objects.attempts.BACKOFF", 0.001)
        assert place.through
        store = place.through(proxy.port)
        yield store
        store.close()

    def test_a_lost_answer_is_never_told_as_somebody_elses_write(
        self, place: Place, proxy: CuttingProxy, distant: ObjectStore, conditional: ObjectStore
    ) -> None:
        store, version = distant, ""
        for body in (b"first", b"second"):  # of an object that is not there, and of one that is
            proxy.lose(place.verbs[0])
            with pytest.raises(WriteUnknownError) as caught:
                store.write("object", body, expect=version, metadata={"writer": body.decode()}, **TEXT)
            assert not caught.value.permanent
            assert proxy.left == 0
            found = conditional.stat("object")
            assert conditional.read("object", found.version) == body
            assert found.metadata == ({"writer": body.decode()} if store.keeps_metadata else {})
            version = found.version
        # Without a loss a refusal is what it looks like.
        with pytest.raises(VersionMismatchError):
            store.write("object", b"third", expect="", **TEXT)
        store.delete("object")
        assert store.write("object", b"third", expect="", **TEXT) == conditional.stat("object").version

    def test_a_write_without_expectation_is_repeated(
        self, place: Place, proxy: CuttingProxy, distant: ObjectStore, store: ObjectStore
    ) -> None:
        proxy.lose("SET" if place.verbs[0] == "EVAL" else place.verbs[0], count=2)
        version = distant.write("object", b"body", **TEXT)
        assert proxy.left == 0
        assert store.read("object", version) == b"body"

    def test_writes_that_never_get_an_answer_are_given_up(
        self, place: Place, proxy: CuttingProxy, distant: ObjectStore, conditional: ObjectStore
    ) -> None:
        proxy.lose(place.verbs[0], count=1000)
        with pytest.raises(StoreError) as caught:
            distant.write("object", b"body", expect="", **TEXT)
        assert not caught.value.permanent
        assert not isinstance(caught.value, VersionMismatchError)
        assert conditional.read("object", conditional.stat("object").version) == b"body"

    def test_a_delete_is_repeated(
        self, place: Place, proxy: CuttingProxy, distant: ObjectStore, store: ObjectStore
    ) -> None:
        for expected in (False, True):
            version = store.write("object", b"body", **TEXT)
            expected = expected and store.conditional
            proxy.lose("DEL" if place.verbs[1] == "EVAL" and not expected else place.verbs[1])
            distant.delete("object", expect=version if expected else None)
            assert proxy.left == 0
            with pytest.raises(ObjectNotFoundError):
                store.stat("object")
