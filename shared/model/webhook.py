"""Webhooks: whom an event is told, and the outbox item that says what is still to be told."""

from dataclasses import dataclass
from typing import NamedTuple


class Action(NamedTuple):
    """A kind of event. `key` is where the payload holds what it is about; `many`: as a list."""

    name: str
    key: str
    many: bool = False
    organization_only: bool = False
    """Only told to webhooks of all projects: for its own webhooks the project is too new, or gone."""


ACTIONS = {
    "PROJECT_CREATED": Action("Project created", "project", organization_only=True),
    "PROJECT_UPDATED": Action("Project updated", "project"),
    "PROJECT_DELETED": Action("Project deleted", "project", organization_only=True),
    "TASKS_CREATED": Action("Task created", "tasks", many=True),
    "TASKS_DELETED": Action("Task deleted", "tasks", many=True),
    "ANNOTATION_CREATED": Action("Annotation created", "annotation"),
    "ANNOTATIONS_CREATED": Action("Annotations created", "annotation", many=True),
    "ANNOTATION_UPDATED": Action("Annotation updated", "annotation"),
    "ANNOTATIONS_DELETED": Action("Annotation deleted", "annotations", many=True),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """Where events of a project, or of all (`project` is None), are posted to."""

    id: int
    project: int | None
    sealed: bytes
    """Address and headers, encrypted: an address may be as good as a password."""
    is_active: bool = True
    send_payload: bool = True
    send_for_all_actions: bool = True
    actions: tuple[str, ...] = ()
    created_at: float
    updated_at: float
    consecutive_failures: int = 0
    """Events given up since one was delivered."""
    last_error: str = ""

    def wants(self, action: str) -> bool:
        """Whether it is told of such an event."""
        if not self.is_active or (self.project is not None and ACTIONS[action].organization_only):
            return False
        return self.send_for_all_actions or action in self.actions


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxItem:
    """An event that one webhook is still to be told of; made in the commit that caused the event."""

    id: str
    webhook: int
    project: int
    action: str
    ids: tuple[int, ...]
    """Of the tasks, annotations or the project that it is about."""
    since: float
    ticket: int = 1
    """Of the message that wakes its delivery; one with another number does nothing."""
    failures: int = 0
    due: float
    """When that message is to arrive. The sweep looks after an item that is overdue."""
