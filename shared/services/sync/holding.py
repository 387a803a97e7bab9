"""A chunk that this invocation holds: the only way its chunk and ledger documents are written.

One lock orders all writes, the heartbeat's too. Every commit names itself on the chunk (`last_commit`), so that after
a refusal or a lost answer the holder can tell "it was mine" from "somebody took the chunk".
"""

import threading
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from types import TracebackType
from typing import Any

from shared.errors import CommitRefusedError, CommitUnknownError, DocumentsUnavailableError
from shared.log import logger
from shared.model.chunk import Chunk, Counts
from shared.model.ledger import Ledger
from shared.model.run import Gate
from shared.ports import Write
from shared.records.collection import Stored
from shared.services.context import Context

RETRIES = 3


class ChunkLostError(Exception):
    """The chunk, or the run, is no longer ours: leave it and look for other work."""


class Holding:
    """A leased chunk with its ledger, under one gate revision."""

    def __init__(
        self, ctx: Context, gate: Stored[Gate], chunk: Stored[Chunk], ledger: Ledger | None, invocation: str
    ) -> None:
        self.ctx = ctx
        self.gate = gate
        self.ledger: Ledger = ledger if ledger is not None else {}
        self._ledger_exists = ledger is not None
        self._chunk = chunk
        self._invocation = invocation
        self._number = 0
        self._lock = threading.Lock()
        self._lost = False

    @property
    def chunk(self) -> Chunk:
        """The chunk as last written."""
        return self._chunk.value

    def commit(self, writes: Sequence[Write] = (), *, ledger: Ledger | None = None, **changes: Any) -> None:
        """Writes `writes`, the chunk with `changes`, and the ledger if given, in one commit that checks the gate.

        Renews the lease unless `changes` says otherwise. On return it is applied, exactly once.

        Raises:
            ChunkLostError: somebody else took the chunk, or the run is over. Nothing was written.
            CommitRefusedError: an expectation of `writes` does not hold; the chunk is still ours.
            InvalidDocumentError: something in `writes` can't be stored; the chunk is still ours.
        """
        with self._lock:
            if self._lost:
                raise ChunkLostError
            self._number += 1
            name = f"{self._invocation}:{self._number}"
            changes.setdefault("lease_until", self.ctx.clock() + self.ctx.settings.stale_after)
            changed = replace(self.chunk, last_commit=name, **changes)
            all_writes = [self.ctx.chunks.update(self._chunk, changed), *writes]
            if ledger is not None:
                all_writes.append(
                    self.ctx.ledgers.write(
                        self.chunk.id, ledger, exists=self._ledger_exists, storage_map=self.chunk.map
                    )
                )
            revision = self._apply(all_writes, name)
            self._chunk = Stored(changed, revision, self._chunk.ref)
            if ledger is not None:
                self.ledger, self._ledger_exists = ledger, True

    def _apply(self, writes: Sequence[Write], name: str) -> str:
        for _ in range(RETRIES):
            try:
                return self.ctx.documents.commit(writes, [self.gate.check])[0]
            except (CommitRefusedError, CommitUnknownError) as error:
                found = self.ctx.chunks.get(self.chunk.id)
                if found is not None and found.value.last_commit == name:
                    return found.revision  # it was applied; only the answer was lost
                gate = self.ctx.gates.get(self.gate.value.storage)
                ours = found is not None and found.revision == self._chunk.revision
                if not ours or gate is None or gate.revision != self.gate.revision:
                    self._lost = True
                    raise ChunkLostError from None
                if isinstance(error, CommitRefusedError):
                    raise
        self._lost = True
        raise ChunkLostError

    def progress(self, writes: Sequence[Write], ledger: Ledger | None, counts: Counts, **changes: Any) -> None:
        """A commit that brought the sync forward: crashes, tries and suspicion are forgotten."""
        self.commit(
            writes, ledger=ledger, counts=counts, **({"crashes": 0, "tries": 0, "fault": "", "trying": ""} | changes)
        )

    def beat(self) -> None:
        """Renews the lease, and tries once to tell the run that it is alive. Never raises for a lost race."""
        try:
            self.commit()
            ping(self.ctx, self.gate.value.run)
        except ChunkLostError:
            return
        except DocumentsUnavailableError as error:
            logger.warning("heartbeat failed", action="chunk.heartbeat", chunk=self.chunk.id, reason=str(error))


def ping(ctx: Context, run_id: str) -> None:
    """Notes a sign of life on the run if the last is older than the timer; losing the race is fine."""
    run = ctx.runs.get(run_id) if run_id else None
    now = ctx.clock()
    if run is None or not run.value.active:
        return
    if run.value.time_in_progress and now - run.value.time_last_ping < ctx.settings.storage_in_progress_timer:
        return
    alive = replace(run.value, time_last_ping=now, time_in_progress=run.value.time_in_progress or now)
    try:
        ctx.documents.commit([ctx.runs.update(run, alive)])
    except (CommitRefusedError, CommitUnknownError):
        return


class HeartbeatThread(AbstractContextManager["HeartbeatThread"]):
    """Beats for a holding every timer while entered, also while the worker waits for a slow object."""

    def __init__(self, holding: Holding) -> None:
        self._holding = holding
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def _run(self) -> None:
        while not self._stop.wait(self._holding.ctx.settings.storage_in_progress_timer):
            self._holding.beat()

    def __enter__(self) -> "HeartbeatThread":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
