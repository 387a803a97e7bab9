"""Links in task data: each URI of an object that the task may load becomes an address to load."""

from functools import cached_property

from shared.model.uris import ObjectUri, fileuri, may_hold_uri, parse, resolve_json
from shared.ports import Document
from shared.services.context import Context
from shared.services.media import covering
from shared.services.media.recorded import Recorded


class Links:
    """Of one project, for one answer. Its storages are read when the first URI is met."""

    def __init__(self, ctx: Context, project: int) -> None:
        self._ctx, self._project = ctx, project
        self._recorded = Recorded(ctx)

    def resolved(self, task: Document, data: bytes) -> bytes:
        """A task's data as JSON, with its URIs as links; what has none comes back as it is."""
        if not may_hold_uri(data):
            return data
        own = int(task.data.get("storage") or 0)
        record = self._recorded.source(task)

        def link(text: str) -> str | None:
            uri = parse(text)
            if uri is None or (text != record and self._coverage.find(uri, own) is None):
                return None
            return f"{_base(self._ctx)}/tasks/{task.ref.id}/resolve/?fileuri={fileuri(text)}"

        return resolve_json(data, link, record or self._coverage.source(task))

    @cached_property
    def _coverage(self) -> covering.Coverage:
        return covering.of_project(self._ctx, self._project)


def link(ctx: Context, project: int, uri: ObjectUri) -> str:
    """The link to an object for who has no task at hand."""
    return f"{_base(ctx)}/projects/{project}/resolve/?fileuri={fileuri(uri.text)}"


def _base(ctx: Context) -> str:
    return ctx.settings.hostname.rstrip("/")
