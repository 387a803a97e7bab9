"""Webhooks: create, read, edit, delete. Their addresses and headers are decrypted here and nowhere else."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import orjson

from shared.errors import (
    AddressRefusedError,
    CommitRefusedError,
    CommitUnknownError,
    CredentialsError,
    ForbiddenError,
    InvalidInputError,
    NotFoundError,
)
from shared.log import logger
from shared.model.user import User
from shared.model.webhook import Webhook
from shared.model.webhook_fields import clean_webhook
from shared.ports import Create, Delete, Ref, Update, Write
from shared.records.collection import Stored
from shared.records.storages import next_id
from shared.services.context import Context
from shared.services.secrets import MASK
from shared.services.storages import connecting

RETRIES = 20
UNKNOWN = "No Webhook matches the given query."
_NEWEST = Ref("counters", "newest_organization_webhook")


class Address(NamedTuple):
    """What of a webhook is encrypted."""

    url: str
    headers: Mapping[str, str]


def address(ctx: Context, webhook: Webhook) -> Address:
    """Where it posts to, and with which headers. Raises `CredentialsError` under another key."""
    opened = ctx.vault.open(webhook.sealed)
    return Address(opened["url"], orjson.loads(opened["headers"]))


def create(ctx: Context, given: Mapping[str, Any], *, user: User) -> Webhook:
    """Adds a webhook to a project, or to all. Raises `InvalidInputError`, `ForbiddenError`."""
    project = None if given.get("project") in (None, "") else connecting.project_number(given)
    if project is None and not user.admin:
        raise ForbiddenError("Only an admin can make a webhook for all projects: name one of your projects.")
    if project is not None:
        connecting.project_of(ctx, project, user=user)
    values = clean_webhook(given, partial=False, organization=project is None)
    where = Address(values.pop("url"), values.pop("headers", {}))
    _check(ctx, where.url)
    now = ctx.clock()
    webhook = Webhook(
        id=next_id(ctx.documents, "webhooks"),
        project=project,
        sealed=_seal(ctx, where),
        created_at=now,
        updated_at=now,
        **values,
    )
    for _ in range(RETRIES):
        # Orders this commit against others like it, and against the project's deletion.
        order = _order(ctx, webhook, user)
        if ctx.webhooks.count(project) >= ctx.settings.max_webhooks:
            whose = "A project" if project else "All projects together"
            text = f"{whose} can have {ctx.settings.max_webhooks} webhooks (SLUICE_MAX_WEBHOOKS); delete one first."
            raise InvalidInputError.of("project", text)
        try:
            ctx.documents.commit([ctx.webhooks.create(webhook.id, webhook), order])
        except (CommitRefusedError, CommitUnknownError):
            if ctx.webhooks.get(webhook.id) is None:
                continue
        logger.info("webhook created", action="webhook.create", webhook=webhook.id, project=project)
        return webhook
    raise CommitRefusedError("the webhooks are being changed by others; try again")


def find(ctx: Context, number: int, *, user: User) -> Webhook:
    """A webhook that the user may see. Raises `NotFoundError`."""
    webhook = _stored(ctx, number).value
    if not _visible(webhook, user):
        raise NotFoundError(UNKNOWN)
    return webhook


def visible(ctx: Context, *, user: User) -> list[Webhook]:
    """Every webhook that the user may see: of their projects, and for an admin those of all projects. Oldest first."""
    if user.admin:
        return [stored.value for stored in ctx.webhooks.all()]
    found = [stored.value for project in sorted(user.projects) for stored in ctx.webhooks.of(project)]
    return sorted(found, key=lambda webhook: webhook.id)


def of_project(ctx: Context, project: int | None, *, user: User) -> list[Webhook]:
    """A project's own webhooks, or those of all projects, as far as the user may see them."""
    return [stored.value for stored in ctx.webhooks.of(project) if _visible(stored.value, user)]


def update(ctx: Context, number: int, given: Mapping[str, Any], *, partial: bool) -> Webhook:
    """Edits a webhook; its project stays. Raises `NotFoundError`, `InvalidInputError`.

    Headers that are not given are kept, and so is the value of a header that is given as it is shown: masked.
    """
    checked = ""
    for _ in range(RETRIES):
        stored = _stored(ctx, number)
        before = stored.value
        values = clean_webhook(given, partial=partial, organization=before.project is None)
        draft = replace(before, **{name: new for name, new in values.items() if name not in {"url", "headers"}})
        if "url" in values or "headers" in values:
            where = _moved(ctx, before, values)
            if where.url != checked:
                _check(ctx, where.url)
                checked = where.url
            if where != _known(ctx, before):
                draft = replace(draft, sealed=_seal(ctx, where), consecutive_failures=0, last_error="")
        if draft == before:
            return before
        draft = replace(draft, updated_at=ctx.clock())
        try:
            ctx.documents.commit([ctx.webhooks.update(stored, draft)])
        except (CommitRefusedError, CommitUnknownError):
            continue
        logger.info("webhook edited", action="webhook.edit", webhook=number)
        return draft
    raise CommitRefusedError(f"webhook {number} is being changed by others; try again")


def delete(ctx: Context, number: int) -> None:
    """Removes a webhook; what it was still to be told is dropped. Raises `NotFoundError`."""
    stored = _stored(ctx, number)
    for _ in range(RETRIES):
        try:
            ctx.documents.commit([Delete(stored.ref, None)])
        except CommitUnknownError:
            continue
        logger.info("webhook deleted", action="webhook.delete", webhook=number)
        return
    raise CommitRefusedError(f"webhook {number} could not be deleted; try again")


def _check(ctx: Context, url: str) -> None:
    try:
        ctx.receivers.check(url)
    except AddressRefusedError as error:
        raise InvalidInputError.of("url", error.message) from None


def _seal(ctx: Context, where: Address) -> bytes:
    return ctx.vault.seal({"url": where.url, "headers": orjson.dumps(dict(where.headers)).decode()})


def _known(ctx: Context, webhook: Webhook) -> Address | None:
    """What is stored, None if it can't be read with this key."""
    try:
        return address(ctx, webhook)
    except CredentialsError:
        return None


def _moved(ctx: Context, webhook: Webhook, values: Mapping[str, Any]) -> Address:
    """Address and headers after an edit."""
    known = _known(ctx, webhook)
    if known is None and not {"url", "headers"} <= set(values):
        text = "What is stored can't be read with this server's key: give url and headers together, or restore the key."
        raise InvalidInputError(fields={name: [text] for name in ("url", "headers")})
    kept = known.headers if known else {}
    given = values.get("headers", kept)
    headers = {name: kept.get(name, text) if text == MASK else text for name, text in given.items()}
    return Address(values["url"] if "url" in values or known is None else known.url, headers)


def _order(ctx: Context, webhook: Webhook, user: User) -> Write:
    if webhook.project is not None:
        project = connecting.project_of(ctx, webhook.project, user=user)
        return Update(project.ref, {"newest_webhook": webhook.id}, project.revision)
    found = ctx.documents.get(_NEWEST)
    value = {"value": webhook.id}
    return Update(_NEWEST, value, found.revision) if found else Create(_NEWEST, value)


def _visible(webhook: Webhook, user: User) -> bool:
    return user.admin if webhook.project is None else user.may_see(webhook.project)


def _stored(ctx: Context, number: int) -> Stored[Webhook]:
    stored = ctx.webhooks.get(number)
    if stored is None:
        raise NotFoundError(UNKNOWN)
    return stored
