"""From a request's fields to a storage that works: checked fields, kept credentials, and a look into the bucket."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from shared.errors import (
    BucketNotFoundError,
    CredentialsError,
    IncompleteError,
    InvalidInputError,
    PrefixEmptyError,
    StoreError,
)
from shared.model.fields import Direction
from shared.model.project import Project
from shared.model.provider import Provider
from shared.model.storage import CONDITIONAL, CONDITIONAL_DELETES, Storage, check_together, clean, identity_of
from shared.model.user import User
from shared.records.collection import Stored
from shared.services.context import Context
from shared.services.secrets import masked
from shared.services.storages.probing import probe_target

NON_FIELD = "non_field_errors"
LABELS = frozenset(
    {
        *("title", "description", "synchronizable", "auto_sync", "presign", "presign_ttl", "s3_public_endpoint"),
        *("can_delete_objects", "export_format", "key_template", "manifest"),
        *("on_changed", "on_deleted", "sync_interval"),
    }
)
"""Edits of these alone need no look into the bucket."""


def new_draft(
    ctx: Context, provider: Provider, given: Mapping[str, Any], direction: Direction = "import", *, user: User
) -> Storage:
    """A storage, without an id yet, of the fields of a request. Raises `InvalidInputError` naming every bad field."""
    problems: dict[str, list[str]] = {}
    values: dict[str, Any] = {}
    project = 0
    try:
        if direction != "dataset":
            project = project_number(given)
            project_of(ctx, project, user=user)
    except InvalidInputError as error:
        problems |= error.fields
    try:
        values = clean(provider, given, partial=False, direction=direction)
    except InvalidInputError as error:
        problems |= error.fields
    if problems:
        raise InvalidInputError(fields=problems)
    secrets = {name: values.pop(name) or "" for name in provider.secrets}
    values |= identity_of(provider, secrets)
    draft = Storage(
        id=0,
        type=provider.type,
        direction=direction,
        project=project,
        created_at=ctx.clock(),
        config=values,
        secrets=ctx.vault.seal(secrets),
        meta={},
    )
    check_together(draft)
    return draft


def edited(
    ctx: Context, before: Storage, given: Mapping[str, Any], *, partial: bool, blank_keeps: bool = False
) -> Storage:
    """The storage with the fields of a request; credentials that are not given are kept.

    `partial`: other fields are kept too, else they fall back to defaults. `blank_keeps`: empty credentials count as
    not given. Kept credentials never go to another host, nor make us someone else there: they have to be given again
    together with it.
    """
    provider = before.provider
    if before.project and "project" in given and project_number(given) != before.project:
        raise InvalidInputError.of("project", "A storage can't move to another project: create one there instead.")
    values = clean(provider, given, partial=partial, direction=before.direction)
    new = {
        name: values.pop(name) or "" for name in provider.secrets if name in given and (given[name] or not blank_keeps)
    }
    config = {name: value for name, value in values.items() if name not in provider.secrets}
    after = replace(before, config={**before.config, **config})
    check_together(after)
    moved = [name for name in provider.hosts if _host(before.config.get(name)) != _host(after.config.get(name))]
    old = _opened(ctx, before.secrets, lenient=bool(new)) if new or moved else {}
    moved += [name for name in provider.hosts if name in new and old and _host(new[name]) != _host(old.get(name))]
    kept = sorted(old.keys() - new.keys())
    if moved and kept:
        raise InvalidInputError.of(
            moved[0],
            f"Stored credentials are not used elsewhere, or as someone else: give {', '.join(kept)} again with it.",
        )
    secrets = {name: value for name, value in {**old, **new}.items() if value}
    if new and secrets != old:
        config = {**after.config, **identity_of(provider, secrets)}
        after = replace(after, config=config, secrets=ctx.vault.seal(secrets))
    return after


def check(ctx: Context, draft: Storage) -> Storage:
    """Opens the bucket and looks for an object under the prefix; into a target it writes one, and removes it again.

    Returns the storage with what was found out of its bucket; one without a bucket yet is not looked at. Raises
    `InvalidInputError` with what a person can do.
    """
    if not draft.has_bucket:
        return draft
    try:
        store = ctx.open_store(draft)
        if draft.direction != "export":
            store.check(draft.prefix, need_object=bool(draft.prefix) and draft.provider.folders)
            return draft
        store.check(draft.prefix)
        found = probe_target(store, draft.prefix, need_delete=bool(draft.config.get("can_delete_objects")))
    except StoreError as error:
        raise refusal(ctx, draft, error) from None
    honours = {CONDITIONAL: found.conditional, CONDITIONAL_DELETES: found.conditional_deletes}
    return replace(draft, config={**draft.config, **honours})


def refusal(ctx: Context, draft: Storage, error: StoreError) -> InvalidInputError:
    """What a bucket said, for people."""
    if isinstance(error, IncompleteError):
        return InvalidInputError(fields={name: ["This field is required."] for name in error.names})
    if isinstance(error, BucketNotFoundError | PrefixEmptyError):
        return InvalidInputError.of(NON_FIELD, error.message)  # nothing that a provider says could add to it
    return InvalidInputError.of(NON_FIELD, masked(str(error), ctx.vault.open(draft.secrets)))


def project_number(given: Mapping[str, Any]) -> int:
    """The project a request names. Raises `InvalidInputError`."""
    if "project" not in given:
        raise InvalidInputError.of("project", "This field is required.")
    value = given["project"]
    if value is None:
        raise InvalidInputError.of("project", "This field may not be null.")
    if type(value) not in (int, str) or not re.fullmatch(r"[+-]?[0-9]+", str(value)):
        raise InvalidInputError.of("project", "Incorrect type. Expected pk value, received something else.")
    text = str(value)[:19]
    if int(text) < 1 or len(str(value)) > 18:
        raise unknown_project(str(value)[:30])
    return int(text)


def project_of(ctx: Context, number: int, *, user: User) -> Stored[Project]:
    """The project that a storage is for. Raises `InvalidInputError` in the name of the field.

    A project that the user may not see is not there.
    """
    project = ctx.projects.get(number) if user.may_see(number) else None
    if project is None:
        raise unknown_project(str(number))
    return project


def unknown_project(number: str) -> InvalidInputError:
    """The answer to a project that is not there."""
    return InvalidInputError.of("project", f'Invalid pk "{number}" - object does not exist.')


def _opened(ctx: Context, sealed: bytes, *, lenient: bool) -> dict[str, str]:
    """Stored credentials; `lenient`: none where the key was lost, so that they can be entered again."""
    try:
        return ctx.vault.open(sealed)
    except CredentialsError:
        if not lenient:
            raise
        return {}


def _host(address: str | None) -> str:
    return (address or "").strip().rstrip("/").lower()
