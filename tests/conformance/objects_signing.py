"""What every object store must do about signed URLs. Fetched as a browser would: by a client that knows nothing."""

import http.client
import time
from urllib.parse import urlsplit

import pytest

from shared.errors import ObjectNotFoundError
from shared.ports import ObjectStore, SignedUrl
from tests.conformance.objects_place import WEIRD_KEYS, Place


def fetch(url: str, method: str = "GET", headers: dict[str, str] | None = None) -> tuple[int, dict[str, str], bytes]:
    """Status, headers (names in lower case) and body; nothing is tidied up on the way, as a browser would do."""
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.netloc, timeout=10)
    try:
        connection.request(method, f"{parts.path}?{parts.query}" if parts.query else parts.path, headers=headers or {})
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    finally:
        connection.close()


class UnsignedContract:
    """`presign` of the port, of a store that signs nothing."""

    def test_there_is_no_signed_url(self, place: Place, store: ObjectStore) -> None:
        place.put("key", b"body")
        assert store.presign("key", seconds=60) is None


class SigningContract:
    """`presign` of the port."""

    def url(self, store: ObjectStore, key: str, **options: object) -> SignedUrl:
        found = store.presign(key, **{"seconds": 600, **options})  # type: ignore[arg-type]
        assert found
        return found

    def test_a_signed_url_gives_just_this_object(self, place: Place, store: ObjectStore) -> None:
        keys = [key for key in WEIRD_KEYS if place.supports(key)]
        for key in keys:
            place.put(key, b"body of " + key.encode())
        for key in keys:
            self._gives(key, store)

    def _gives(self, key: str, store: ObjectStore) -> None:
        url = self.url(store, key)
        assert url.url.isascii()
        status, _, body = fetch(url.url)
        assert (status, body) == (200, b"body of " + key.encode()), body
        status, headers, body = fetch(url.url, headers={"range": "bytes=1-3"})
        assert (status, body) == (206, b"ody")
        assert headers["content-range"].startswith("bytes 1-3/")

    def test_it_ends_when_it_says(self, place: Place, store: ObjectStore) -> None:
        before = time.time()
        url = self.url(store, "key", seconds=90)
        assert before + 88 <= url.expires_at <= time.time() + 90

    def test_the_answer_is_of_the_type_that_was_asked_for(self, place: Place, store: ObjectStore) -> None:
        url = self.url(store, "clip", content_type="video/mp4")
        place.put("clip", b"....")
        _, headers, _ = fetch(url.url)
        assert headers["content-type"] in place.types

    def test_it_can_be_for_looking_alone(self, place: Place, store: ObjectStore) -> None:
        url = self.url(store, "key", method="HEAD")
        place.put("key", b"12345")
        status, headers, body = fetch(url.url, "HEAD")
        assert (status, headers["content-length"], body) == (200, "5", b"")

    def test_nothing_is_asked_of_the_bucket(self, place: Place, store: ObjectStore) -> None:
        assert place.missing is None or self.url(place.missing, "key").url

    @pytest.mark.parametrize("key", ["", "half-\ud800"], ids=ascii)
    def test_what_is_no_key_is_refused(self, key: str, store: ObjectStore) -> None:
        with pytest.raises(ObjectNotFoundError):
            store.presign(key, seconds=600)

    def test_expired_and_changed_ones_are_refused(self, place: Place, store: ObjectStore) -> None:
        url = self.url(store, "key")
        if not place.verifies:
            pytest.skip("this server looks at no signature, or there is none")
        place.put("key", b"mine")
        place.put("other", b"not mine")
        assert fetch(url.url)[0] == 200
        for wrong in (
            url.url.replace("/key?", "/other?"),
            url.url[:-4] + ("AAAA" if url.url[-4:] != "AAAA" else "BBBB"),
        ):
            assert wrong != url.url
            assert fetch(wrong)[0] in {400, 403}
        short = self.url(store, "key", seconds=1)
        while time.time() <= short.expires_at + 1:  # a second is the least that can be signed for
            time.sleep(0.1)
        assert fetch(short.url)[0] in {400, 403}
