"""Ledgers: what goes in comes out, splits lose nothing, and a listing is read for what it means."""

import zlib

import orjson
from hypothesis import given
from hypothesis import strategies as st

from shared.model import ledger as ledgers
from shared.model.ledger import Entry, ObjectInfo, diff
from shared.model.policies import APPLIED

TEXT = st.text(st.characters(codec="utf-8"), max_size=30)
ENTRIES = st.builds(
    Entry,
    key=TEXT.filter(bool),
    version=TEXT,
    size=st.integers(0, 2**53),
    modified=st.floats(0, 2e9),
    state=st.sampled_from(ledgers.STATES),
    tasks=st.integers(0, 10**6),
    rows=st.integers(0, 10**6),
    offset=st.integers(0, 2**40),
    bad_rows=st.integers(0, 100),
    reason=TEXT,
    transient=st.booleans(),
    shape=TEXT,
    row_errors=st.just(()),
    applied=st.sampled_from(APPLIED),
    tombs=st.integers(0, 10**6),
    content_type=st.just("") | TEXT,
    width=st.none(),
    height=st.none(),
)
SIZES = st.none() | st.tuples(st.integers(0, 10**9), st.integers(0, 10**9))
ENTRIES = st.builds(
    lambda entry, size: entry._replace(width=size[0], height=size[1]) if size else entry, ENTRIES, SIZES
)


def key_order(key):
    return key.encode()


def listing(*keys, version="1"):
    return [ObjectInfo(key, 1, version, 0.0) for key in keys]


def planned(infos, ledger, *, shape="s", wants=lambda _key: True):
    plan = diff(infos, ledger, shape=shape, wants=wants)
    return {todo.listed.key: todo.kind for todo in plan.todo}, [entry.key for entry in plan.gone], plan.back


@given(st.lists(ENTRIES, max_size=20))
def test_a_ledger_comes_back(entries):
    """Encoding loses nothing but a checkpoint without rows, which means nothing."""
    ledger = {entry.key: entry if entry.rows else entry._replace(offset=0) for entry in entries}

    assert ledger == ledgers.decode(ledgers.encode(ledger))


def test_what_records_add_costs_import_storages_nothing():
    """The blob of a ledger without types and sizes is what it was before there were any, and such a blob is read."""
    former = zlib.compress(orjson.dumps({"texts": [], "entries": [["a", "1", 5, 2.5, 0, 1]]}), 1)
    ledger = {"a": Entry("a", "1", 5, 2.5, tasks=1)}

    assert ledgers.encode(ledger) == former
    assert ledgers.decode(former) == ledger
    assert ledgers.encode({"a": ledger["a"]._replace(width=0, height=0)}) != former


@given(st.lists(ENTRIES, max_size=20), TEXT)
def test_a_split_keeps_every_entry_once(entries, at):
    ledger = {entry.key: entry for entry in entries}

    left, right = ledgers.split(ledger, key_order(at), key_order)

    assert ledger == left | right
    assert not left.keys() & right.keys()
    assert all(key_order(key) <= key_order(at) for key in left)


def test_reasons_are_capped():
    """4,000 entries that fail with reasons of their own stay far below what a document may hold."""
    entries = [
        Entry(f"{'k' * 60}{n}", "v", state="failed", reason=f"reason {n} {'x' * 400}").with_bad_row(
            n, n, f"row {n}" * 50
        )
        for n in range(4000)
    ]

    blob = ledgers.encode({entry.key: entry for entry in entries})

    assert ledgers.MAX_BLOB > len(blob)
    back = ledgers.decode(blob)
    assert 4000 == len(back)
    assert ledgers.AND_MORE == back[entries[-1].key].reason


def test_bad_rows_are_counted_and_the_first_are_kept():
    entry = Entry("k", "v")
    for row in range(30):
        entry = entry.with_bad_row(row, 0, "bad")

    assert 30 == entry.bad_rows
    assert 20 == len(entry.row_errors)
    assert "k: 10 more rows" == entry.explain()[-1]


def test_new_changed_and_unchanged():
    ledger = {"a": Entry("a", "1"), "b": Entry("b", "0", tasks=1)}

    assert ({"b": "changed", "c": "new"}, [], ()) == planned(listing("a", "b", "c"), ledger)


def test_what_failed_is_tried_again_only_if_that_may_help():
    """A reason that may pass, other settings, another version: yes. The same again: no."""
    ledger = {
        "same": Entry("same", "1", state="failed", reason="bad", shape="s"),
        "passing": Entry("passing", "1", state="failed", reason="busy", transient=True, shape="s"),
        "other": Entry("other", "1", state="failed", reason="bad", shape="older"),
        "partial": Entry("partial", "1", state="partial", rows=5),
    }

    todo, _, _ = planned(listing("other", "partial", "passing", "same"), ledger)

    assert {"passing": "retry", "other": "retry", "partial": "resume"} == todo


def test_gone_and_back():
    ledger = {"a": Entry("a", "1", tasks=1), "b": Entry("b", "1", state="gone", tasks=1)}

    todo, gone, back = planned(listing("b"), ledger)

    assert ({}, ["a"], (ledger["b"],)) == (todo, gone, back)


def test_out_of_scope_is_never_gone():
    """The filter no longer wants it: its entry stays as it is."""
    ledger = {"a.txt": Entry("a.txt", "1", tasks=1)}

    assert ({}, [], ()) == planned([], ledger, wants=lambda key: key.endswith(".jpg"))
