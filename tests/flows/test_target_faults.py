"""Targets in trouble: what is tried again and when, what is given up, and what people are told of it."""

from dataclasses import replace

import pytest

from shared.adapters.objects import attempts
from shared.model.owed import pause
from shared.services.sync import runs
from tests.flows.target_desk import KEYS, refusing

AWAY = {"status": 503, "code": "SlowDown"}


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch):
    """Between the repetitions of one request, which are no part of these tests."""
    monkeypatch.setattr(attempts, "BACKOFF", 0.001)


@pytest.fixture
def storage(targets):
    """A target that holds three annotations."""
    targets.annotate(3)
    made = targets.target(can_delete_objects=True)
    targets.work()
    assert ("completed", 3) == targets.state(made)[0:3:2]
    return made


def test_a_target_that_is_away(targets, storage):
    """It is asked again with growing pauses, and gets the newest state when it is back."""
    targets.s3.faults(refusing("out/"))
    number = targets.numbers()[0]
    targets.change(number, "first")
    targets.work()
    (due,) = targets.dues()
    assert (1, [number]) == (due.failures, list(due.units))
    assert due.due >= targets.moment[0] + 1
    targets.change(number, "second")
    targets.work()
    for _ in range(3):
        targets.pass_time(300)
        targets.work()
    assert [4, 4] == sorted(due.failures for due in targets.dues())
    assert "completed" == targets.state(storage).status

    targets.s3.faults()
    targets.pass_time(600)
    targets.work()

    assert [{"said": "second"}] == targets.body(f"out/{number}")["result"]
    assert not targets.dues()


def test_nothing_is_tried_before_its_time(targets, storage):
    targets.s3.faults(refusing("out/"))
    targets.change(targets.numbers()[0])
    targets.work()
    targets.s3.reset()

    targets.pass_time(pause(1) - 0.5)
    targets.work()

    assert "put" not in targets.s3.stats()["ops"]


def test_only_what_failed_is_tried_again(targets, storage):
    """Of a batch with one bad object the others are written at once."""
    made = set(targets.numbers())
    targets.s3.faults(refusing("out/[0-9]*[02468]$"))
    targets.annotate(40, start=3)
    targets.work()
    new = set(targets.numbers()) - made
    even = {number for number in new if number % 2 == 0}
    assert even
    assert {f"out/{number}" for number in new - even} < set(targets.names())

    assert even == {unit for due in targets.dues() for unit in due.units}


def test_what_is_given_up_is_seen(targets, storage):
    """After all attempts the storage has failed, with a reason; a sync mends it."""
    targets.s3.faults(refusing("out/"))
    number = targets.numbers()[0]
    targets.change(number)
    for _ in range(targets.ctx.settings.export_max_attempts):
        targets.work()
        targets.pass_time(601)
    state = targets.state(storage)
    assert ("failed", []) == (state.status, targets.dues())
    assert "1 changed annotations could not be written in 10 attempts" in state.traceback
    assert "AccessDenied" in state.traceback
    targets.s3.faults()

    done = targets.sync(storage)

    assert ("completed", 1, None) == (done.status, done.meta["objects_written"], done.traceback)
    assert [{"said": "dog"}] == targets.body(f"out/{number}")["result"]


def test_who_died_before_the_message(targets, storage):
    """The commit says what is owed; the sweep finds it."""
    number = targets.numbers()[0]
    send = targets.ctx.queue.enqueue
    targets.ctx.queue.enqueue = lambda message: False
    targets.change(number)
    targets.ctx.queue.enqueue = send
    assert 0 == targets.work()
    targets.sweep()
    assert 0 == targets.work()  # not yet: it may be on its way

    targets.pass_time(targets.ctx.settings.rewake_seconds + 1)
    targets.sweep()
    targets.work()

    assert [{"said": "dog"}] == targets.body(f"out/{number}")["result"]
    assert not targets.dues()


@pytest.mark.parametrize(
    "rule", [refusing("out/"), {"action": "status", "op": "put", "key": "out/", "count": -1, **AWAY}]
)
def test_a_sync_that_can_write_nothing_fails(targets, storage, rule):
    """With a reason, and what is there stays."""
    keys = targets.names()
    for number in targets.numbers():
        targets.change(number)
    targets.s3.faults(rule)

    runs.start_run(targets.ctx, storage)
    for _ in range(12):
        targets.work()
        targets.pass_time(31)

    state = targets.state(storage)
    assert "failed" == state.status
    assert state.traceback
    assert keys == targets.names()


def test_one_object_that_is_never_taken(targets, storage):
    """A server that fails for one object does not fail the sync of all others."""
    bad = targets.numbers()[0]
    targets.s3.faults({"action": "status", "op": "put", "key": f"out/{bad}$", "count": -1, **AWAY})
    targets.change(bad)

    runs.start_run(targets.ctx, storage)
    for _ in range(8):
        targets.work()
        targets.pass_time(31)

    state = targets.state(storage)
    assert ("completed_with_errors", 2, 1) == (state.status, state.last_sync_count, state.meta["objects_failed"])
    assert f"Annotation {bad}" in state.traceback


def test_a_bucket_that_is_gone(targets, storage):
    targets.s3.drop("bucket")

    done = targets.sync(storage)

    assert "failed" == done.status
    assert "bucket" in done.traceback


def test_a_run_that_nobody_works_on(targets, storage):
    """Its message was taken out of the queue, so that nobody will go on with it: failed, with the reason."""
    runs.start_run(targets.ctx, storage)
    targets.ctx.queue.purge("runs")
    targets.pass_time(3600)

    targets.sweep()

    state = targets.state(storage)
    assert "failed" == state.status
    assert "queue" in state.traceback
    assert "completed" == targets.sync(storage).status


def test_secrets_stay_secret(targets, storage):
    """Not even where the server puts them into what it says."""
    secret = KEYS["aws_secret_access_key"]
    said = {"status": 400, "code": "Odd", "message": f"what is {secret} about?"}
    targets.s3.faults({"action": "status", "op": "put", "key": "out/", "count": -1, **said})
    for number in targets.numbers():
        targets.change(number)
    targets.work()
    assert targets.dues()
    assert secret not in repr(targets.dues())
    assert "what is" in targets.dues()[0].reason

    state = targets.sync(storage)

    assert "what is" in state.traceback
    assert secret not in repr(state)


def test_credentials_that_can_no_longer_be_read(targets, storage):
    """The key that encrypted them was lost: nothing is repeated for ever, and the reason is told."""
    targets.change(targets.numbers()[0])
    targets.ctx.vault = type(targets.ctx.vault).throwaway()
    targets.ctx.settings = replace(targets.ctx.settings, export_max_attempts=2)
    targets.s3.faults(refusing("out/"))

    for _ in range(4):
        targets.work()
        targets.pass_time(601)

    state = targets.state(storage)
    assert ("failed", []) == (state.status, targets.dues())
    assert "credentials" in state.traceback.lower()
