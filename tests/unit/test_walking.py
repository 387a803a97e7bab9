"""Walks give each range exactly its keys; cuts tile what was listed; a listing that steps back is refused."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.adapters.objects.memory import MemoryObjects
from shared.errors import ListingOrderError
from shared.model.ledger import ObjectInfo
from shared.model.storage import Scope
from shared.services.sync.walking import LISTED_PER_CHUNK, Pending, Walk
from shared.settings import Settings

KEYS = st.lists(st.text("abc/\U0001f600\uff5e", min_size=1, max_size=4), unique=True, max_size=30)
ALL = Scope("", True, lambda _key: True)


class Unseekable(MemoryObjects):
    seek = False


def store_of(kind, keys, page_size):
    store = kind(page_size=page_size)
    for key in keys:
        store.put(key, b"")
    return store


@pytest.mark.parametrize("kind", [MemoryObjects, Unseekable])
@given(keys=KEYS, cuts=KEYS, page_size=st.integers(1, 5))
def test_ranges_partition_the_listing(kind, keys, cuts, page_size):
    """Whatever the cuts and the pages: range after range, by one walk, each key comes once and in its range."""
    walk = Walk(store_of(kind, keys, page_size), ALL)
    edges = ["", *sorted(cuts, key=str.encode), None]
    seen = []
    for after, until in itertools.pairwise(edges):
        inside = [info.key for page in walk.pages(after, until) for info in page]
        assert all(
            after.encode() < key.encode() and (until is None or key.encode() <= until.encode()) for key in inside
        )
        seen += inside

    assert sorted(keys, key=str.encode) == seen


def test_a_walk_that_can_not_seek_lists_once():
    """Ranges in order cost one listing."""
    store = store_of(Unseekable, [f"k{n}" for n in range(9)], 2)
    listings = []
    pages = store.pages
    store.pages = lambda *args, **kwargs: listings.append(args) or pages(*args, **kwargs)
    walk = Walk(store, ALL)

    for after, until in (("", "k2"), ("k2", "k5"), ("k5", None), ("k9", None)):
        list(walk.pages(after, until))

    assert 1 == len(listings)


def test_a_listing_that_steps_back_is_refused():
    class Lying(MemoryObjects):
        def pages(self, prefix="", after="", *, recursive=True):
            yield [ObjectInfo("b", 1, "1", 0.0), ObjectInfo("a", 1, "1", 0.0)]

    with pytest.raises(ListingOrderError):
        list(Walk(Lying(), ALL).pages("", None))


@given(
    wanted=st.lists(st.booleans(), max_size=400),
    target=st.integers(1, 7),
)
def test_cuts_tile_the_listing(wanted, target):
    """Each cut-off chunk has at most the target's worth, what remains fits, and together they are the listing."""
    infos = [ObjectInfo(f"{n:06}" + ("w" if take else ""), 1, "1", 0.0) for n, take in enumerate(wanted)]
    pending = Pending(Settings(chunk_target=target), Scope("", True, lambda key: key.endswith("w")))
    cuts = [cut for info in infos if (cut := pending.add(info)) is not None]

    edges = ["", *cuts]
    for after, until in itertools.pairwise(edges):
        chunk = [info.key for info in infos if after < info.key <= until]
        assert target >= sum(key.endswith("w") for key in chunk) or len(chunk) == 1
        assert LISTED_PER_CHUNK * target >= len(chunk)
    rest = [info for info in infos if info.key > edges[-1]]
    assert len(rest) == pending.listed
    assert [info for info in rest if info.key.endswith("w")] == pending.wanted
    assert 2 * target >= len(pending.wanted)


def test_long_keys_make_small_chunks():
    """1,000-byte keys: a chunk is cut by bytes, so that its ledger always fits into a document."""
    settings = Settings()
    pending = Pending(settings, ALL)
    cuts = [cut for n in range(2000) if (cut := pending.add(ObjectInfo(f"{n:06}" + "x" * 1000, 1, "1", 0.0)))]

    assert len(cuts) > 5
    assert 2 * settings.chunk_bytes >= 1064 * len(pending.wanted)
