"""A snapshot is whole, exact and taken once, whatever happens before any of its calls; what it needs is never removed.

Each case takes a snapshot (or removes what a deleted one left), and once does something else before the first call,
before the second, and so on, until there are no more calls.
"""

from contextlib import suppress
from dataclasses import replace

import pytest

from shared.errors import NotFoundError, TryAgainError
from shared.model.ledger import Entry
from shared.model.snapshot import EMPTY_ROOT, root_of
from shared.services import trash
from shared.services.datasets import freezing
from tests.simulation.shelf import SETTINGS, KilledError, Shelf, short_pieces

OLD = short_pieces()
NEW = [entry._replace(version="w") if at == 10 else entry for at, entry in enumerate(OLD)]
CUTS = tuple(OLD[at].key for at in (1, 8, 12))
IN_PARTS = replace(SETTINGS, snapshot_seconds=0.0)
"""A request for each piece."""


def shelf_with_one(settings=SETTINGS):
    """A dataset of which there is a snapshot, and which changed since."""
    shelf = Shelf(settings)
    shelf.write(OLD, CUTS)
    first = shelf.take("first")
    shelf.write(NEW, CUTS)
    return shelf, first


def verify(shelf, expected):
    """The snapshots are these, whole and exact, and nothing else is kept."""
    shelf.now += 1000.0  # whoever was killed in the middle does not come back
    found = {it.title: shelf.read(it) for it in shelf.all()}
    assert found == expected
    assert len(shelf.all()) == len(expected)
    for snapshot in shelf.all():
        root = EMPTY_ROOT
        for piece in shelf.ctx.pieces.of(snapshot.id, snapshot.parts):
            root = root_of(root, piece)
        assert (snapshot.root, snapshot.records) == (root, len(expected[snapshot.title]))
    shelf.delete(shelf.take("last"))  # what somebody left under way goes when another begins
    shelf.collect()
    assert {it.title: shelf.read(it) for it in shelf.all()} == expected
    assert shelf.count("frozen") == len(shelf.named())
    assert shelf.count("manifests") == sum(it.parts for it in shelf.all())


def every_step(play):
    """Plays with the interruption before each call in turn, until it comes no more."""
    step = 0
    while play(step):
        step += 1
    assert step > 10


def a_second_request(shelf, _first):
    """The same request, which ends while the other one waits."""
    assert shelf.read(shelf.take("second", key="key")) == NEW


def another_title(shelf, _first):
    try:
        freezing.take(shelf.ctx, shelf.storage, title="other")
    except TryAgainError:
        return
    shelf.delete(next(it for it in shelf.all() if it.title == "other"))


def the_old_one_goes(shelf, first):
    shelf.delete(first)
    shelf.collect()


def a_chunk_is_cut(shelf, _first):
    shelf.cut(OLD[4].key)
    shelf.cut(OLD[14].key)


def a_run_starts(shelf, _first):
    gate = shelf.ctx.gates.get("1")
    shelf.ctx.documents.commit([shelf.ctx.gates.update(gate, replace(gate.value, run_seq=gate.value.run_seq + 1))])


def its_answer_is_lost(shelf, _first):
    shelf.documents.lose_answer = True


def it_is_killed(_shelf, _first):
    raise KilledError


OTHERS = (
    *(a_second_request, another_title, the_old_one_goes, a_chunk_is_cut, a_run_starts),
    *(its_answer_is_lost, it_is_killed),
)


@pytest.mark.parametrize("settings", [SETTINGS, IN_PARTS], ids=["whole", "parts"])
@pytest.mark.parametrize("other", OTHERS)
def test_a_snapshot_is_taken_once(other, settings):
    def play(step):
        shelf, first = shelf_with_one(settings)
        shelf.documents.arm(step, lambda: other(shelf, first))
        try:
            shelf.take("second", key="key")
        except KilledError:
            shelf.take("second", key="key")
        met = shelf.documents.at < 0
        shelf.documents.arm(-1, lambda: None)
        expected = {"first": OLD, "second": NEW}
        if other is the_old_one_goes and met:
            del expected["first"]
        verify(shelf, expected)
        return met

    every_step(play)


def test_a_lost_answer_makes_no_second_one_without_a_key_either():
    def play(step):
        shelf, first = shelf_with_one()
        shelf.documents.arm(step, lambda: its_answer_is_lost(shelf, first))
        shelf.take("second")
        met = shelf.documents.at < 0
        shelf.documents.arm(-1, lambda: None)
        verify(shelf, {"first": OLD, "second": NEW})
        return met

    every_step(play)


def test_a_removal_in_small_steps_ends_also_if_one_is_killed():
    newer = [entry._replace(version="x") for entry in OLD]

    def play(step):
        shelf, first = shelf_with_one()
        shelf.write(newer, CUTS)
        shelf.take("second")
        shelf.delete(first)
        shelf.documents.arm(step, lambda: it_is_killed(shelf, first))
        for _ in range(10):  # six parts of its list, the trash itself, one that is killed
            with suppress(KilledError):
                trash.collect_trash(shelf.ctx, 1)
        met = shelf.documents.at < 0
        shelf.documents.arm(-1, lambda: None)
        assert shelf.count("trash") == 0
        verify(shelf, {"second": newer})
        return met

    every_step(play)


def test_another_bucket_has_the_snapshot_that_is_answered():
    """The one that was under way is of a map that is gone."""
    other = [Entry("other", "v")]

    def play(step):
        shelf, _ = shelf_with_one()
        before = []

        def edit():
            before.extend(shelf.all())
            shelf.other_bucket(other)

        shelf.documents.arm(step, edit)
        taken = shelf.take("second")
        met = shelf.documents.at < 0
        shelf.documents.arm(-1, lambda: None)
        if met:
            wanted = [] if len(before) == 2 else [(taken.id, other)]
            assert [(it.id, shelf.read(it)) for it in shelf.all()] == wanted
        shelf.collect()
        assert shelf.count("snapshots") == len(shelf.all())
        assert met or shelf.read(taken) == NEW
        return met

    every_step(play)


def test_nobody_goes_on_with_one_that_was_left():
    """What was cut of it before is removed; the new one is of records as they are now."""

    def play(step):
        shelf, _ = shelf_with_one()
        shelf.documents.arm(step, lambda: it_is_killed(shelf, None))
        try:
            shelf.take("second", key="key")
        except KilledError:
            shelf.documents.arm(-1, lambda: None)
            shelf.now += freezing.PATIENCE + 1
            newer = [entry._replace(version="x") for entry in NEW]
            done = len(shelf.all()) == 2
            shelf.write(newer, CUTS)
            shelf.take("second", key="key")
            verify(shelf, {"first": OLD, "second": NEW if done else newer})
            return True
        return False

    every_step(play)


def test_what_a_new_one_needs_is_not_removed():
    """The removal stands still before each of its calls, while a snapshot of the same records is taken."""

    def play(step):
        shelf, first = shelf_with_one()
        shelf.write(OLD, CUTS)
        shelf.delete(first)
        shelf.documents.arm(step, lambda: shelf.take("second") and None)
        shelf.collect()
        met = shelf.documents.at < 0
        shelf.documents.arm(-1, lambda: None)
        verify(shelf, {"second": OLD} if met else {})
        return met

    step = 0
    while play(step):
        step += 1
    assert step > 5


def test_a_storage_that_goes_leaves_nothing():
    def goes(shelf):
        shelf.delete_storage()
        shelf.collect()

    def play(step):
        shelf = Shelf(IN_PARTS)
        shelf.write(OLD, CUTS)
        shelf.documents.arm(step, lambda: goes(shelf))
        with suppress(NotFoundError):
            shelf.take("second")
        if shelf.documents.at >= 0:
            return False
        shelf.collect()
        names = ("snapshots", "manifests", "frozen", "freezes", "chunks", "ledgers", "trash")
        assert [shelf.count(name) for name in names] == [0] * len(names)
        return True

    every_step(play)


def test_another_title_waits():
    shelf, _ = shelf_with_one(IN_PARTS)
    with pytest.raises(TryAgainError, match="goes on"):
        freezing.take(shelf.ctx, shelf.storage, title="second")
    with pytest.raises(TryAgainError, match="Another snapshot"):
        freezing.take(shelf.ctx, shelf.storage, title="third")
    shelf.take("second")
    shelf.take("third")
    assert [it.title for it in shelf.all()] == ["third", "second", "first"]


def test_records_may_change_while_it_is_taken():
    """Each is as it was when it was read: before its own place, the change is seen."""
    shelf, _ = shelf_with_one(IN_PARTS)
    with pytest.raises(TryAgainError):
        freezing.take(shelf.ctx, shelf.storage)
    place = shelf.ctx.freezes.get("map1").value.after.decode()
    assert place
    shelf.write([Entry(it.key, "x", it.size) for it in NEW], CUTS)
    taken = shelf.read(shelf.take())
    assert [it.key for it in taken] == [it.key for it in NEW]
    assert {it.key for it in taken if it.version == "x"} == {it.key for it in NEW if it.key > place}
