"""Removing objects: of units that are gone, of former names, of other settings. The link says so before and after."""

from dataclasses import replace

from shared.errors import CommitRefusedError, CommitUnknownError, StoreError, VersionMismatchError
from shared.model.link import Link, Want
from shared.records.collection import Stored
from shared.services.exports.target import ATTEMPTS, Outcome, Target, Work


def remove(target: Target, work: Work) -> None:
    """The unit is gone: its link becomes a tombstone, and its object goes if that is allowed. Raises `StoreError`."""
    before, rev, commit = work.before, work.want.rev, target.ctx.documents.commit
    if before is None:
        _tombstone(target, work)
        return
    link = before.value
    work.link = replace(link, intent=rev, since=target.ctx.clock())
    try:
        work.held = before.written(work.link, commit([target.ctx.links.update(before, work.link)])[0])
    except (CommitRefusedError, CommitUnknownError):
        return
    if target.deletes and not _delete_all(target, work, link.version):
        return
    after = replace(work.link, rev=rev, intent=0, gone=True, run=target.run, old_keys=())
    after = replace(after, version="" if target.deletes else after.version)
    try:
        commit([target.ctx.links.update(work.held, after)])
    except (CommitRefusedError, CommitUnknownError):
        # Without conditions we may have removed an object that somebody had made since.
        work.clobbered = not target.conditional_deletes
        return
    there = bool(link.rev or link.intent) and not (link.gone and not link.version)
    work.outcome = Outcome(work.want.unit, "deleted" if there and target.deletes else "nothing", fresh=True)


def _tombstone(target: Target, work: Work) -> None:
    """Also where nothing was written yet: a writer that has read the unit, and not begun, learns that it is gone."""
    link = replace(target.blank(work.want), gone=True, rev=work.want.rev)
    try:
        target.ctx.documents.commit([target.ctx.links.create(link.id, link)])
    except (CommitRefusedError, CommitUnknownError):
        return
    work.outcome = Outcome(work.want.unit, "nothing")


def remove_again(target: Target, link: Stored[Link], work: Work) -> Outcome:
    """A late writer may have written after the removal; who looks again removes that. Raises `StoreError`."""
    work.link, work.held = link.value, link
    if target.deletes:
        _delete_all(target, work, "")
    return Outcome(work.want.unit, "nothing")


def _delete_all(target: Target, work: Work, version: str) -> bool:
    """Removes the object, which has that version unless it is "", and those under former keys."""
    link = work.link
    return (not link.key or _delete(target, work, link.key, version)) and all(
        _delete(target, work, key, "") for key in link.old_keys
    )


def _delete(target: Target, work: Work, key: str, expect: str) -> bool:
    """Removes an object, whoever wrote it; False if somebody wrote the link meanwhile."""
    for _ in range(ATTEMPTS):
        if not expect:
            stat = target.stat(key)
            if stat is None:
                return True
            if not target.unmoved(work):
                return False
            expect = stat.version
        try:
            target.store.delete(key, expect=target.expecting(expect))
        except VersionMismatchError:
            expect = ""
        else:
            return True
    return False


def remove_old(target: Target, work: Work) -> None:
    """The objects under former keys go, if that is allowed, after the new one is there."""
    stored = target.ctx.links.get(work.link.id)
    if stored is None or stored.value.old_keys != work.link.old_keys:
        return
    work.held = stored
    try:
        if target.deletes and not all(_delete(target, work, key, "") for key in stored.value.old_keys):
            return
        target.ctx.documents.commit([target.ctx.links.update(stored, replace(stored.value, old_keys=()))])
    except StoreError as error:
        work.outcome = Outcome(work.want.unit, "failed", error)
    except (CommitRefusedError, CommitUnknownError):
        return  # whoever wrote it removes it


def retire(target: Target, stored: Stored[Link]) -> None:
    """Forgets a link that other settings made; its object goes too, if that is allowed. Raises `StoreError`."""
    work = Work(Want(stored.value.unit, 0, "", None), stored, stored.value, stored)
    if target.deletes and not _delete_all(target, work, stored.value.version):
        return  # somebody is at it: the next sync sees
    try:
        target.ctx.documents.commit([stored.delete])
    except (CommitRefusedError, CommitUnknownError):
        return
