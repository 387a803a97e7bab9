"""Migrations: in slices, by the sweep, while everything else goes on. Nobody has to run anything.

A step looks at the documents of one collection, a page at a time in the order of their ids. First the documents of a
page are committed, each at the revision it was read at, then the place; so whoever dies in between, or runs beside
another, does again what does nothing twice.
"""

from collections.abc import Sequence
from typing import NamedTuple

from shared.errors import CommitRefusedError, CommitUnknownError, InvalidDocumentError
from shared.log import logger
from shared.model.schema import FIRST, VERSION, Change, Schema, next_change
from shared.ports import Document, Query, Update
from shared.records.collection import Stored, weight
from shared.records.schema import CURRENT
from shared.services.context import Context
from shared.services.migrations.checking import refuse_newer
from shared.services.migrations.steps import STEPS, Bring

PAGE = 100
PAGE_BYTES = 1_000_000
"""Of a commit: so much, or a document that is larger by itself."""
TRIES = 3


class _Page(NamedTuple):
    changed: int
    failed: int
    whole: bool
    """Whether nothing of it is left to be done."""


def migrate(ctx: Context, limit: int) -> None:
    """Goes on with the step under way, over at most `limit` documents, and begins the next if there is one.

    Costs nothing once this process has seen that all is done. Raises `SchemaTooNewError`.
    """
    while ctx.schema_version < VERSION:
        stored = _current(ctx)
        if stored is None:
            return
        refuse_newer(stored.value)
        change = next_change(stored.value.version)
        ctx.schema_version = stored.value.version
        if change is None:
            return
        if not stored.value.under_way:
            begun = stored.value.begun(change, ctx.clock())
            logger.info("migration begins", action="schema.migrate", version=change.version, says=change.says)
            if not _moved(ctx, stored, begun):
                return
            continue
        if ctx.clock() < stored.value.pass_at or limit <= 0:
            return
        done = _page(ctx, stored, change, min(PAGE, limit))
        if not done:
            return
        limit -= done


def _current(ctx: Context) -> Stored[Schema] | None:
    """The document; where an earlier release left none it is made. None: another sweep is making it."""
    stored = ctx.schemas.current()
    if stored is not None:
        return stored
    create = ctx.schemas.create(CURRENT, Schema(version=FIRST))
    try:
        revision = ctx.documents.commit([create])[0]
    except (CommitRefusedError, CommitUnknownError):
        return None
    return Stored(Schema(version=FIRST), revision, create.ref)


def _page(ctx: Context, stored: Stored[Schema], change: Change, limit: int) -> int:
    """Does one page and says so on the document; how many documents were looked at, 0 if this sweep should leave it."""
    schema, step = stored.value, STEPS[change.version]
    query = Query(collection=step.collection, after=(schema.place,) if schema.place else None, limit=limit)
    found = ctx.documents.query(query)
    page = _brought(ctx, step.bring, found, change.version)
    if not page.whole:
        return 0
    place = found[-1].ref.id if found else schema.place
    after = schema.gone_on(place, changed=page.changed, failed=page.failed)
    if len(found) < limit:
        after = _ended(ctx, after, change)
    return max(len(found), 1) if _moved(ctx, stored, after) else 0


def _ended(ctx: Context, schema: Schema, change: Change) -> Schema:
    """What a pass leaves, told to the log."""
    after = schema.pass_ended(change, ctx.clock(), ctx.settings.schema_settle_seconds)
    about = {"action": "schema.migrate", "version": change.version, "changed": schema.changed, "failed": schema.failed}
    if schema.failed:
        logger.error("migration can't end: documents named before stand in its way", **about)
    elif after.under_way:
        logger.info("migration looks again when nobody is left who may work as before", **about)
    else:
        logger.info("migration ended", **about)
    return after


def _moved(ctx: Context, stored: Stored[Schema], after: Schema) -> bool:
    """Writes how far it is. Not if another sweep was faster: that one goes on."""
    try:
        ctx.documents.commit([ctx.schemas.update(stored, after)])
    except (CommitRefusedError, CommitUnknownError):
        return False
    return True


def _brought(ctx: Context, bring: Bring, found: Sequence[Document], version: int) -> _Page:
    """Brings the documents of a page to a schema."""
    wanted: list[tuple[Document, Sequence[Update]]] = []
    failed = 0
    for document in found:
        writes = _writes(ctx, bring, document, version)
        failed += writes is None
        if writes:
            wanted.append((document, writes))
    changed, whole = 0, True
    while wanted:
        some = _fitting(wanted)
        del wanted[: len(some)]
        try:
            ctx.documents.commit([write for _, writes in some for write in writes])
            changed += len(some)
        except CommitUnknownError:
            whole = False
        except (CommitRefusedError, InvalidDocumentError):
            for document, _ in some:
                outcome = _alone(ctx, bring, document, version)
                changed, failed = changed + (outcome == "changed"), failed + (outcome == "failed")
                whole = whole and outcome != "busy"
    return _Page(changed, failed, whole)


def _fitting(wanted: Sequence[tuple[Document, Sequence[Update]]]) -> list[tuple[Document, Sequence[Update]]]:
    """The first of them that make a commit together, at least one."""
    some: list[tuple[Document, Sequence[Update]]] = []
    size = 0
    for document, writes in wanted:
        size += sum(map(weight, writes))
        if some and size > PAGE_BYTES:
            break
        some.append((document, writes))
    return some


def _alone(ctx: Context, bring: Bring, document: Document, version: int) -> str:
    """Brings one document to a schema by itself, as it is now: "changed", "same", "failed", or "busy"."""
    for _ in range(TRIES):
        now = ctx.documents.get(document.ref)
        writes = _writes(ctx, bring, now, version) if now else ()
        if writes is None:
            return "failed"
        if not writes:
            return "same"
        try:
            ctx.documents.commit(writes)
            return "changed"
        except (CommitRefusedError, CommitUnknownError):
            continue
        except InvalidDocumentError as error:
            _name(document, version, error)
            return "failed"
    return "busy"


def _writes(ctx: Context, bring: Bring, document: Document, version: int) -> Sequence[Update] | None:
    """What is to be written of a document; None if it can't be read, which is told to the log."""
    try:
        return bring(ctx, document)
    except Exception as error:  # noqa: BLE001  whatever is wrong with one document, the others go on
        _name(document, version, error)
        return None


def _name(document: Document, version: int, error: Exception) -> None:
    """Names a document in the log. The error's text stays out: it may quote what is in it."""
    logger.error(
        "document can't be migrated",
        action="schema.migrate",
        version=version,
        collection=document.ref.collection,
        id=document.ref.id,
        error=type(error).__name__,
    )
