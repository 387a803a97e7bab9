"""The three steps of writing objects: intent onto the link, object into the bucket, what was written onto the link."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace

from shared.errors import CommitRefusedError, CommitUnknownError, StoreError, VersionMismatchError, WriteUnknownError
from shared.model.export_body import CONTENT_TYPE
from shared.ports import Create, Update
from shared.records.collection import Stored
from shared.services.exports.removing import remove_old
from shared.services.exports.target import ATTEMPTS, Outcome, Target, Work

REVISION, DIGEST = "sluicerevision", "sluicesha256"
"""Metadata of an object: the state that it holds, and what it must read as."""


def intend(target: Target, works: Sequence[Work]) -> bool:
    """Step 1 for all of them in one commit; False if it was refused."""
    new: list[Work] = []
    writes: list[Create | Update] = []
    for work in works:
        if (write := work.write(target)) is None:
            work.held = work.before
        else:
            new.append(work)
            writes.append(write)
    try:
        revisions = target.ctx.documents.commit(writes) if writes else []
    except (CommitRefusedError, CommitUnknownError):
        return False
    for work, write, revision in zip(new, writes, revisions, strict=True):
        known = work.before
        work.held = known.written(work.link, revision) if known else Stored(work.link, revision, write.ref)
    return True


def put_all(target: Target, works: Sequence[Work]) -> None:
    """Step 2 for all of them, several at once; what fails has its outcome then."""

    def put_one(work: Work) -> None:
        try:
            put(target, work)
        except StoreError as error:
            work.outcome = Outcome(work.want.unit, "failed", error)

    if target.ctx.fetchers is None:
        for work in works:
            put_one(work)
    else:
        list(target.ctx.fetchers.map(put_one, works))


def put(target: Target, work: Work) -> None:
    """Step 2: `version` is set once the object is what it should be; else somebody else is at it. Raises `StoreError`.

    Who finds an object that it did not expect looks at the object first and at the link after it. Is the link as we
    wrote it, nobody who knows more wrote that object, since they would have written the link before: it is replaced.
    """
    assert work.want.body is not None  # noqa: S101
    body = work.want.body()
    key, expect = work.want.key, work.link.version
    work.size, work.digest = len(body), hashlib.sha256(body).hexdigest()
    metadata = {REVISION: str(work.want.rev), DIGEST: work.digest} if target.store.keeps_metadata else {}
    for _ in range(ATTEMPTS):
        try:
            work.version = target.store.write(
                key,
                body,
                content_type=CONTENT_TYPE,
                expect=expect if target.conditional else None,
                metadata=metadata,
            )
        except (VersionMismatchError, WriteUnknownError):
            stat = target.stat(key)
            if not target.unmoved(work):
                return
            if stat and stat.metadata.get(REVISION) == str(work.want.rev) and DIGEST in stat.metadata:
                # The same state, by somebody else, or by us if the answer was lost.
                work.size, work.digest = stat.info.size, stat.metadata[DIGEST]
                work.version, work.expected = stat.version, expect
                return
            expect = stat.version if stat else ""
        else:
            work.expected = expect
            return


def record(target: Target, works: Sequence[Work]) -> None:
    """Step 3 for those whose object is right, in one commit; they have their outcome then, unless overtaken."""
    works = [work for work in works if work.version is not None]
    writes: list[Update] = []
    for work in works:
        assert work.held is not None  # noqa: S101
        after = replace(
            work.link,
            rev=work.want.rev,
            version=work.version or "",
            intent=0,
            gone=False,
            since=target.ctx.clock(),
            run=target.run,
            size=work.size,
            digest=work.digest,
        )
        writes.append(target.ctx.links.update(work.held, after))
    try:
        if writes:
            target.ctx.documents.commit(writes)
    except (CommitRefusedError, CommitUnknownError):
        if len(works) > 1:
            for work in works:
                record(target, [work])
        else:
            _overtaken(target, works[0])
        return
    for work in works:
        if work.link.old_keys:
            remove_old(target, work)
        work.outcome = work.outcome or Outcome(work.want.unit, "written", fresh=True)


def _overtaken(target: Target, work: Work) -> None:
    """Somebody wrote the link while we wrote the object. Nothing of ours may stay that should not be there."""
    found = target.ctx.links.get(work.link.id)
    if found is None:
        _take_back(target, work)  # other settings are in force, or the target is gone
        return
    link, rev = found.value, work.want.rev
    # Without conditions our object may have replaced a newer one: it is written once more, as it is by now.
    work.clobbered = not target.conditional
    if link.rev == rev and link.version == work.version and not link.intent:
        work.outcome = Outcome(work.want.unit, "written")  # by our own commit, or by one that says the same
    elif link.gone or link.key != work.want.key:
        _take_back(target, work)
    elif link.rev == rev and link.key == work.want.key and link.version == work.expected:
        # The same state, written twice at once, and ours was the later.
        try:
            target.ctx.documents.commit([target.ctx.links.update(found, replace(link, version=work.version or ""))])
        except (CommitRefusedError, CommitUnknownError):
            return
        work.outcome = Outcome(work.want.unit, "written")


def _take_back(target: Target, work: Work) -> None:
    """Removes what we wrote where nothing should be by now, unless somebody replaced it."""
    gate = target.ctx.gates.get(target.storage.id)
    if not target.deletes or gate is None or gate.value.map != target.map:
        return  # what lies there stays
    try:
        target.store.delete(work.want.key, expect=target.expecting(work.version))
    except VersionMismatchError:
        return
