"""Webhooks, and the outbox of what they are still to be told."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from shared.model.webhook import OutboxItem, Webhook
from shared.ports import DocumentStore, Query
from shared.records.collection import Collection, Stored

PAGE = 500
_WEBHOOK = tuple(field.name for field in fields(Webhook) if field.name != "id")
_ITEM = tuple(field.name for field in fields(OutboxItem) if field.name != "id")


def _encode_webhook(webhook: Webhook) -> dict[str, Any]:
    return {**{name: getattr(webhook, name) for name in _WEBHOOK}, "actions": list(webhook.actions)}


def _decode_webhook(id: str, data: Mapping[str, Any]) -> Webhook:  # noqa: A002
    known = {name: data[name] for name in _WEBHOOK if name in data}
    return Webhook(id=int(id), **{**known, "actions": tuple(known.get("actions", ()))})


def _encode_item(item: OutboxItem) -> dict[str, Any]:
    return {**{name: getattr(item, name) for name in _ITEM}, "ids": list(item.ids)}


def _decode_item(id: str, data: Mapping[str, Any]) -> OutboxItem:  # noqa: A002
    known = {name: data[name] for name in _ITEM if name in data}
    return OutboxItem(id=id, **{**known, "ids": tuple(known["ids"])})


class Webhooks(Collection[Webhook]):
    """Webhooks of projects, and of all projects (whose `project` is None)."""

    def __init__(self, documents: DocumentStore) -> None:
        super().__init__(documents, "webhooks", _encode_webhook, _decode_webhook)

    def of(self, project: int | None) -> list[Stored[Webhook]]:
        """A project's own webhooks, or those of all projects, oldest first."""
        found = self.find(("project", "==", project), limit=PAGE)
        return sorted(found, key=lambda stored: stored.value.id)

    def count(self, project: int | None) -> int:
        """How many webhooks a project has of its own, or all projects have together."""
        return self.documents.count(self.query(("project", "==", project)))

    def all(self) -> list[Stored[Webhook]]:
        """Every webhook there is, oldest first."""
        found: list[Stored[Webhook]] = []
        query = Query(collection=self.name, limit=PAGE)
        while True:
            page = self.documents.query(query)
            found += map(self.stored, page)
            if len(page) < PAGE:
                return sorted(found, key=lambda stored: stored.value.id)
            query = Query(collection=self.name, limit=PAGE, after=query.cursor(page[-1]))


class Outbox(Collection[OutboxItem]):
    """What is still to be told."""

    def __init__(self, documents: DocumentStore) -> None:
        super().__init__(documents, "outbox", _encode_item, _decode_item)

    def overdue(self, before: float, limit: int) -> list[Stored[OutboxItem]]:
        """Items that were due before a time, oldest first."""
        return self.find(("due", "<", before), order=("due",), limit=limit)
