"""The search is worth something only if it finds defects: each rule of the protocol, left out, must be caught."""

from dataclasses import replace

import pytest

from shared.model.chunk import Chunk
from shared.services import sweeping
from shared.services.imports import batching
from shared.services.sync import claiming, hints, holding, lanes, runs, status, syncing
from tests.simulation.schedules import Simulation, faults_at_every_step, random_schedule, replay
from tests.simulation.test_schedules import SCENARIOS

TRIES = 1500


def gate_not_checked(patch):
    commit = holding.Holding._apply

    def without(self, writes, name):
        documents = self.ctx.documents
        real = documents.commit
        documents.commit = lambda writes, checks=(): real(writes)
        try:
            return commit(self, writes, name)
        finally:
            documents.commit = real

    patch.setattr(holding.Holding, "_apply", without)


def chunk_revision_not_checked(patch):
    apply = holding.Holding._apply

    def blind(self, writes, name):
        first = writes[0]._replace(revision=None)
        return apply(self, [first, *writes[1:]], name)

    patch.setattr(holding.Holding, "_apply", blind)


def new_chunk_is_born_done(patch):
    cut_off = Chunk.cut_off
    patch.setattr(Chunk, "cut_off", lambda *args: replace(cut_off(*args), done_seq=99))


def unsettled_is_not_inherited(patch):
    cut_off = Chunk.cut_off
    patch.setattr(Chunk, "cut_off", lambda *args: replace(cut_off(*args), unsettled=False))


def nobody_finalises(patch):
    patch.setattr(runs, "finalise", lambda ctx, gate: not gate.value.run)


def the_sweep_enqueues_nothing(patch):
    patch.setattr(sweeping.lanes, "send_all", lambda ctx, run: None)


def unconfirmed_counts_as_absent(patch):
    patch.setattr(status, "judge", _judge_without_looking_at_confirmation)


def _judge_without_looking_at_confirmation(ctx, gate):
    if runs.finalise(ctx, gate):
        return
    members = ctx.lanes.of_run(gate.value.run)
    if ctx.chunks.any_leased(gate.value.map, ctx.clock()):
        return
    if all(ctx.queue.state("runs", lanes.message_name(lane.value)).absent for lane in members):
        runs.fail(ctx, gate, status.NO_MESSAGE, [lane.check for lane in members])


def verdict_without_a_check_of_the_lanes(patch):
    fail = runs.fail
    patch.setattr(status.runs, "fail", lambda ctx, gate, reason, checks=(): fail(ctx, gate, reason))


def acknowledged_while_leased_by_another(patch):
    advance = lanes.advance
    patch.setattr(syncing.lanes, "advance", lambda ctx, permit, idle: None if idle else advance(ctx, permit, idle=idle))


def hint_cleared_at_done(patch):
    patch.setattr(claiming, "_contains", lambda *args: False)
    progress = batching.Batcher._progress

    def clearing(self, writes, ledger, counts, *, done=False, waits=False):
        progress(self, writes, ledger, counts, done=done, waits=waits)
        hint = self.ctx.hints.get(self.holding.chunk.id)
        if done and hint is not None and hint.value.dirty:
            self.ctx.documents.commit([self.ctx.hints.update(hint, replace(hint.value, dirty=False))])

    patch.setattr(batching.Batcher, "_progress", clearing)


def claim_takes_a_wider_hint(patch):
    patch.setattr(claiming, "_contains", lambda *args: True)


def the_sweep_wakes_no_unsettled_chunk(patch):
    patch.setattr(hints, "wake_chunk", lambda ctx, chunk: None)


ONE_LANE, TWO_LANES, HANDED_OVER, _SECOND, EVENT, EVENT_HANDED_OVER, GROWTH = SCENARIOS

DEFECTS = [
    (gate_not_checked, ONE_LANE, ("cancel",)),
    (chunk_revision_not_checked, TWO_LANES, TWO_LANES.kinds),
    (new_chunk_is_born_done, TWO_LANES, ("kill",)),
    (unsettled_is_not_inherited, GROWTH, ("late", "cancel")),
    (nobody_finalises, ONE_LANE, ("kill",)),
    (the_sweep_enqueues_nothing, ONE_LANE, ("kill",)),
    (unconfirmed_counts_as_absent, ONE_LANE, ("read",)),
    (verdict_without_a_check_of_the_lanes, HANDED_OVER, ("late sweep", "switch")),
    (acknowledged_while_leased_by_another, TWO_LANES, ("kill", "duplicate", "lapse", "switch")),
    (hint_cleared_at_done, EVENT, ("late", "kill", "switch")),
    (claim_takes_a_wider_hint, EVENT_HANDED_OVER, ("late", "switch", "cancel")),
    (the_sweep_wakes_no_unsettled_chunk, EVENT, ("late", "kill", "cancel", "switch")),
]


@pytest.mark.parametrize(("plant", "scenario", "kinds"), DEFECTS, ids=lambda value: getattr(value, "__name__", ""))
def test_a_planted_defect_is_caught(plant, scenario, kinds, monkeypatch):
    """Some schedule of the faults that can show the defect does show it."""
    plant(monkeypatch)

    assert _first_problem(scenario._replace(kinds=kinds))


def _first_problem(scenario):
    plain = Simulation(scenario, ())
    if problems := plain.run():
        return problems
    for schedule in faults_at_every_step(scenario):
        if problems := replay(scenario, schedule):
            return problems
    for seed in range(TRIES):
        if problems := replay(scenario, random_schedule(scenario, seed, 250)):
            return problems
    return []
