"""Removing objects: of units that are gone, of former names, of other settings. The link says so before and after."""

from dataclasses import replace

from shared.errors import CommitRefusedError, CommitUnknownError, StoreError, VersionMismatchError
from shared.model.link import Link
from shared.records.collection import Stored
from shared.services.exporting.target import ATTEMPTS, Outcome, Target, Work


def remove(target: Target, work: Work) -> None:
    """The unit is gone: its link becomes a tombstone, and its object goes if that is allowed. Raises `StoreError`."""
    before, rev, commit = work.before, work.want.rev, target.ctx.documents.commit
    if before is None:
        _tombstone(target, work)
        return
    link = before.value
    work.link = replace(link, intent=rev, since=target.ctx.clock())
    try:
        work.held = Stored(work.link, commit([target.ctx.links.update(before, work.link)])[0], before.ref)
    except (CommitRefusedError, CommitUnknownError):
        return
    if target.deletes:
        if link.key and not _delete(target, work, link.version):
            return
        if link.old_key:
            target.store.delete(link.old_key)
    after = replace(work.link, rev=rev, intent=0, gone=True, run=target.run, old_key="")
    after = replace(after, version="" if target.deletes else after.version)
    try:
        commit([target.ctx.links.update(work.held, after)])
    except (CommitRefusedError, CommitUnknownError):
        return
    there = bool(link.rev or link.intent) and not (link.gone and not link.version)
    work.outcome = Outcome(work.want.unit, "deleted" if there and target.deletes else "nothing")


def _tombstone(target: Target, work: Work) -> None:
    """Also where nothing was written yet: a writer that has read the unit, and not begun, learns that it is gone."""
    link = replace(target.blank(work.want), gone=True, rev=work.want.rev)
    try:
        target.ctx.documents.commit([target.ctx.links.create(link.id, link)])
    except (CommitRefusedError, CommitUnknownError):
        return
    work.outcome = Outcome(work.want.unit, "nothing")


def remove_again(target: Target, link: Stored[Link], work: Work) -> Outcome:
    """A late writer may have written after the removal; whoever is told of it again removes again."""
    if target.deletes and link.value.key and link.value.rev == work.want.rev:
        work.link, work.held = link.value, link
        try:
            if stat := target.stat(link.value.key):
                _delete(target, work, stat.version)
        except StoreError as error:
            return Outcome(work.want.unit, "failed", error)
    return Outcome(work.want.unit, "nothing")


def _delete(target: Target, work: Work, expect: str) -> bool:
    """Removes the object, whoever wrote it, unless somebody wrote the link meanwhile."""
    for _ in range(ATTEMPTS):
        try:
            target.store.delete(work.link.key, expect=target.expecting(expect))
        except VersionMismatchError:
            stat = target.stat(work.link.key)
            if stat is None:
                return True
            if not target.unmoved(work):
                return False
            expect = stat.version
        else:
            return True
    return False


def remove_old(target: Target, work: Work) -> None:
    """The object under its former key goes, if that is allowed, after the new one is there."""
    stored = target.ctx.links.get(work.link.id)
    if stored is None or stored.value.old_key != work.link.old_key:
        return
    try:
        if target.deletes:
            target.store.delete(stored.value.old_key)
        target.ctx.documents.commit([target.ctx.links.update(stored, replace(stored.value, old_key=""))])
    except StoreError as error:
        work.outcome = Outcome(work.want.unit, "failed", error)
    except (CommitRefusedError, CommitUnknownError):
        return  # whoever wrote it removes it


def retire(target: Target, stored: Stored[Link]) -> None:
    """Forgets a link that other settings made; its object goes too, if that is allowed. Raises `StoreError`."""
    link = stored.value
    if target.deletes and link.key and not link.gone:
        try:
            target.store.delete(link.key, expect=target.expecting(link.version))
        except VersionMismatchError:
            return  # somebody is at it: the next sync sees
    try:
        target.ctx.documents.commit([stored.delete])
    except (CommitRefusedError, CommitUnknownError):
        return
