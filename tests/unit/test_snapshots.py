"""Pieces and roots of snapshots, and what differs between two, against the plain comparison of all records."""

import random

import pytest

from shared.model import snapshot as model
from shared.model.ledger import Entry
from shared.model.providers import S3
from shared.model.snapshot import MAX_BYTES, MAX_RECORDS, MEAN, Cutter
from shared.services.datasets import comparing
from tests.simulation.shelf import Shelf, records

SORT_KEY = S3.sort_key


def cut(entries, *sizes):
    """The pieces of records that come in portions of these sizes, each in any order."""
    cutter, found = Cutter(SORT_KEY), []
    rng = random.Random(1)
    for size in [*sizes, len(entries)]:
        portion, entries = entries[:size], entries[size:]
        found += cutter.add(rng.sample(portion, len(portion)))
    return [*found, *cutter.rest()]


def test_pieces_do_not_depend_on_portions():
    entries = records(5000)
    whole = cut(entries)
    assert whole == cut(entries, 1, 700, 0, 3, 2000)
    assert [entry.key for piece in whole for entry in piece.entries] == [entry.key for entry in entries]
    assert 4 < len(whole) < 20


def test_a_new_record_changes_one_piece():
    before = {piece.piece.fingerprint for piece in cut(records(20 * MEAN))}
    entries = records(20 * MEAN)
    entries.insert(5000, Entry(entries[4999].key + ".copy", "v"))
    assert len({piece.piece.fingerprint for piece in cut(entries)} - before) == 1


def test_pieces_are_bounded():
    dull = [it for it in (Entry(f"{i:08d}", "v") for i in range(6 * MAX_RECORDS)) if not model.is_end(it.key)]
    assert max(piece.piece.records for piece in cut(dull)) == MAX_RECORDS
    long = [Entry(f"{i:01024d}", "v") for i in range(2000)]
    for piece in cut(long):
        assert sum(len(entry.key) for entry in piece.entries) <= MAX_BYTES + 1024
        assert len(model.pack(piece.entries)) < 700 * 1024


@pytest.mark.parametrize(
    "change", [{"key": "b"}, {"version": "2"}, {"size": 2}, {"content_type": "a/b"}, {"width": 3, "height": 4}]
)
def test_a_fingerprint_is_of_the_content(change):
    one = Entry("a", "1", 1)
    assert model.fingerprint([one]) != model.fingerprint([one._replace(**change)])
    assert "key" in change or not model.same(one, one._replace(**change))


def test_a_fingerprint_is_of_the_content_alone():
    """Not of when it was modified, nor of whether an image was looked into that does not tell its size."""
    one = Entry("a", "1", 1)
    for other in (one._replace(modified=5.0), one._replace(width=0, height=0)):
        assert model.fingerprint([one]) == model.fingerprint([other])
        assert model.same(one, other)


def test_what_is_packed_comes_back():
    entries = cut([Entry("ä\n", "1", 1, content_type="a/b"), Entry("b", "2", 2**40, width=3, height=4)])[0].entries
    assert model.unpack(model.pack(entries)) == entries


def test_the_root_does_not_depend_on_chunks():
    one, other = Shelf(), Shelf()
    one.write(records())
    other.write(records(), [f"k/{i:06d}" for i in range(100, 1500, 90)])
    assert one.take().root == other.take().root
    other.cut("k/000150")
    assert one.take().root == other.take().root
    assert other.count("frozen") == one.count("frozen")
    other.write(records()[:-1])
    assert one.take().root != other.take().root


def mutated(entries, rng):
    """Some records replaced, some gone, some new, now and then whole stretches."""
    kept = {it.key: it for it in entries}
    for it in rng.sample(entries, rng.choice([0, 1, 30])):
        kept[it.key] = it._replace(version=rng.choice("vwx"))
    for it in rng.sample(entries, rng.choice([0, 1, 30])):
        kept.pop(it.key)
    for it in rng.sample(entries, rng.choice([0, 1, 30])):
        kept[it.key + "+"] = Entry(it.key + "+", "n")
    if rng.random() < 0.3:
        start = rng.randrange(len(entries))
        for it in entries[start : start + rng.choice([600, 5000])]:
            kept.pop(it.key, None)
    return [kept[key] for key in sorted(kept)]


@pytest.mark.parametrize("seed", range(12))
def test_the_diff_is_that_of_all_records(seed):
    rng, shelf = random.Random(seed), Shelf()
    base = records(3000)
    shelf.write(mutated(base, rng), ["k/000900"])
    old = shelf.take()
    before = shelf.entries
    shelf.write(mutated(base, rng), ["k/002000"])
    new = shelf.take()
    after = shelf.entries
    wanted = [
        (key, before.get(key), after.get(key)) for key in sorted({*before, *after}) if before.get(key) != after.get(key)
    ]
    for size in (10_000, 7, 1 if len(wanted) < 100 else 40):
        found, place = [], ""
        while place is not None:
            part = comparing.compare(shelf.ctx, old, new, SORT_KEY, after=place, size=size)
            assert len(part.found) == size or part.after is None
            found += part.found
            place = part.after
        assert found == wanted


def test_a_diff_that_has_no_time_goes_on_behind_what_it_compared():
    shelf = Shelf()
    shelf.write(records(4000))
    old = shelf.take()
    shelf.write([it._replace(version="w") for it in records(4000)])
    new = shelf.take()
    shelf.ctx.settings = Shelf().ctx.settings.__class__(records_seconds=0.0)
    found, place, requests = [], "", 0
    while place is not None:
        part = comparing.compare(shelf.ctx, old, new, SORT_KEY, after=place, size=10_000)
        found, place, requests = found + part.found, part.after, requests + 1
    assert [change.key for change in found] == [it.key for it in records(4000)]
    assert requests > 3
