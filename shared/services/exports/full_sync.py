"""One chunk of a target's full sync: what no link vouches for is written, and links are held against the listing.

A chunk is a range of positions. Those of the first phase are ids of annotations: units whose link is missing or older
are written. Those of the second are keys: what the listing lacks, or has otherwise than the link says, is written
again, and what should be gone is removed. The last phase, if the target wants a manifest, is one position.
"""

from shared.errors import AccessDeniedError, StoreError, StoreUnavailableError
from shared.model.chunk import Counts, start_index
from shared.model.link import MANIFEST, OBJECTS, UNITS, place
from shared.model.storage import Storage
from shared.ports import ObjectStore
from shared.services.context import Context
from shared.services.exports import manifest
from shared.services.exports.removing import retire
from shared.services.exports.settling import audit, settle
from shared.services.exports.target import Outcome, Target
from shared.services.exports.walking import Step, links, steps
from shared.services.secrets import masked
from shared.services.storages.probing import probe_target
from shared.services.sync.holding import Holding
from shared.services.sync.walking import Walk

MAX_ERRORS = 20
AUDITED = "/audit"
PATIENCE = 3
"""Times a chunk waits for a bucket that takes no object of it; then one of our own tells which of the two is bad."""
MANIFEST_PAUSE = 2.0
SLICE = 100
"""Units settled between two looks at the clock."""


class FullSync:
    """Syncs one held chunk of a target."""

    def __init__(self, ctx: Context, holding: Holding, storage: Storage, walk: Walk, deadline: float) -> None:
        self.ctx = ctx
        self.holding = holding
        self.storage = storage
        self.walk = walk
        self.deadline = deadline
        self.store: ObjectStore = walk.store
        self.run_id = holding.gate.value.run
        audits = holding.chunk.after[:1] == OBJECTS
        # What an audit wrote is told apart: a unit's own phase, coming later, must not count it as its own.
        run = f"{self.run_id}{AUDITED}" if audits else self.run_id
        self._target = Target(ctx, storage, holding.gate.value.map, self.store, run=run)
        self._counts = Counts()
        self._errors: list[str] = []

    def run(self) -> None:
        """Syncs the chunk. Raises `ChunkLostError`, or the `StoreError` that stopped it."""
        chunk = self.holding.chunk
        if chunk.crashes > self.ctx.settings.max_chunk_crashes:
            fault = chunk.fault or "the worker died each time, without a word (out of memory?)"
            raise StoreError(f"A part of the target stopped its worker {chunk.crashes - 1} times in a row: {fault}")
        for boundary in (OBJECTS, MANIFEST):
            if self._reaches_beyond(boundary):
                self._cut(boundary, boundary)
        work = {UNITS: self._units, OBJECTS: self._objects, MANIFEST: self._manifest}
        if work[self.holding.chunk.after[:1] or UNITS]():
            done = {"done_seq": self.holding.gate.value.run_seq, "unsettled": False, "lease_until": 0.0}
            self.holding.progress([], None, self._counts, errors=tuple(self._errors), **done)

    def _reaches_beyond(self, boundary: str) -> bool:
        chunk = self.holding.chunk
        return chunk.after < boundary and (chunk.until is None or chunk.until > boundary)

    # -------------------------------------------------------------------------------------------------- units

    def _units(self) -> bool:
        chunk = self.holding.chunk
        until = None if chunk.until in {None, OBJECTS} else place(chunk.until or "")
        pending: list[Step] = []
        target = self.ctx.settings.chunk_target
        for page in steps(self.ctx, self.storage, place(chunk.after), until):
            pending += page
            while len(pending) > 2 * target:
                last = pending[target - 1].annotation
                pending = pending[target:]
                self._cut(UNITS + last, UNITS + last)
            if self.holding.chunk.after != chunk.after and self._stop():
                return False
        return self._settle([step.unit for step in pending if step.unit])

    # ------------------------------------------------------------------------------------------------ objects

    def _objects(self) -> bool:
        """Compares links with the listing. A link that this run wrote is newer than the listing, and is let be."""
        chunk = self.holding.chunk
        after = place(chunk.after)
        until = None if chunk.until in {None, MANIFEST} else place(chunk.until or "")
        listed: dict[str, str] = {}
        target = self.ctx.settings.chunk_target
        for page in self.walk.pages(after, until):
            for info in page:
                listed[info.key] = info.version
            while len(listed) > 2 * target:
                keys = list(listed)
                last = keys[target - 1]
                listed = {key: listed[key] for key in keys[target:]}
                self._cut(OBJECTS + last, OBJECTS + start_index(self.store.sort_key(last)))
            if self.holding.chunk.after != chunk.after and self._stop():
                return False
        linked, wrong = self._compared(listed, place(self.holding.chunk.after), until)
        return self._settle(linked, wrong)

    def _compared(self, listed: dict[str, str], after: str, until: str | None) -> tuple[list[int], frozenset[int]]:
        """The units that objects are of, and those whose object is not what their link says."""
        linked: list[int] = []
        wrong: list[int] = []
        for stored in links(self.ctx, self.holding.gate.value.map, self.store, after, until):
            link = stored.value
            if link.format != self._target.format:
                retire(self._target, stored)
                continue
            if link.run in {self.run_id, self._target.run} or not link.rev:
                continue
            linked.append(link.unit)
            there = listed.get(link.key)
            if (there is not None and self._target.deletes) if link.gone else there != link.version:
                wrong.append(link.unit)
        return linked, frozenset(wrong)

    # ----------------------------------------------------------------------------------------------- manifest

    def _manifest(self) -> bool:
        """Written when nothing else is left to do."""
        if not self.storage.config.get("manifest"):
            return True
        gate = self.holding.gate.value
        if len(self.ctx.chunks.open(gate.map, gate.run_seq, after=None, limit=2)) > 1:
            self.holding.commit(lease_until=0.0, crashes=0, tries=0, not_before=self.ctx.clock() + MANIFEST_PAUSE)
            return False
        manifest.write(self.ctx, self.storage, gate.map, self.store, run=self.run_id)
        return True

    # ---------------------------------------------------------------------------------------------- settling

    def _settle(self, numbers: list[int], wrong: frozenset[int] | None = None) -> bool:
        """Settles units, or audits them; False if time ran out before the last. Raises a fault of the whole bucket."""
        advanced = False
        for at in range(0, len(numbers), SLICE):
            if advanced and self._stop():
                return False
            part = numbers[at : at + SLICE]
            outcomes = settle(self._target, part) if wrong is None else audit(self._target, part, wrong)
            self._judge(outcomes)
            self._count(outcomes, first=wrong is None)
            advanced = advanced or any(outcome.fresh for outcome in outcomes)
        return True

    def _stop(self) -> bool:
        """Whether time is up; the chunk is given back then. Only who got further asks: no slice is too short."""
        if not self.ctx.out_of_time(self.deadline):
            return False
        self.holding.commit(lease_until=0.0, crashes=0, tries=0)
        return True

    def _judge(self, outcomes: list[Outcome]) -> None:
        """Raises what is wrong with the bucket as a whole, not with single objects."""
        failed = [outcome.error for outcome in outcomes if outcome.error is not None]
        tried = [outcome for outcome in outcomes if outcome.kind in {"written", "deleted", "failed"}]
        if not failed or len(failed) < len(tried):
            return
        away = all(isinstance(error, StoreUnavailableError) for error in failed)
        if away and self.holding.chunk.tries < PATIENCE:
            raise failed[0]
        self.store.check(self.storage.prefix)
        if away or all(isinstance(error, AccessDeniedError) for error in failed):
            # Where an object of ours can be written, those that can't are to blame.
            probe_target(self.store, self.storage.prefix, need_delete=False)

    def _count(self, outcomes: list[Outcome], *, first: bool) -> None:
        secrets = self.ctx.vault.open(self.storage.secrets)
        counts = self._counts
        for outcome in outcomes:
            kind = outcome.kind
            if outcome.error is not None and len(self._errors) < MAX_ERRORS:
                self._errors.append(f"{self._named(outcome.unit)}: {masked(str(outcome.error), secrets)}"[:400])
            failed, good = kind == "failed", kind in {"written", "unchanged"}
            if first:
                counts = counts._replace(listed=counts.listed + (good or failed), imported=counts.imported + good)
            else:  # it was looked at before, as a unit that is well
                counts = counts._replace(imported=counts.imported - failed)
            counts = counts._replace(
                failed=counts.failed + failed,
                created=counts.created + (kind == "written"),
                gone=counts.gone + (kind == "deleted"),
            )
        self._counts = counts

    def _named(self, unit: int) -> str:
        return f"{'Task' if self._target.format == 'task' else 'Annotation'} {unit}"

    # ------------------------------------------------------------------------------------------------ cutting

    def _cut(self, last: str, start: str) -> None:
        """Keep the tail: everything up to `last` becomes a chunk of its own, as open as this one."""
        part = self.holding.chunk.cut_off(self.ctx.new_id(), last)
        self.holding.commit([self.ctx.chunks.create(part.id, part)], after=last, start=start, crashes=0, tries=0)
