"""The steps: how one document of a schema becomes one of the next."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from shared.ports import Document, Update
from shared.records.storages import Storages
from shared.services.context import Context

Bring = Callable[[Context, Document], Sequence[Update]]
"""The writes that bring a document to the schema: none if it is of it, all at the revisions that were read.

Adds fields; what the release before reads stays as it is. Whatever it raises is said of this document alone.
"""


class Step(NamedTuple):
    """The step to one schema, over one collection."""

    collection: str
    bring: Bring


def _listens_to(ctx: Context, document: Document) -> Sequence[Update]:
    """A storage that was made before storages could honour notifications is found by no query for its bucket."""
    if "listens_to" in document.data:
        return ()
    storage = Storages(ctx.documents).stored(document).value
    return (Update(document.ref, {"listens_to": storage.listens_to}, document.revision),)


STEPS: Mapping[int, Step] = {2: Step("storages", _listens_to)}
"""By the schema that they lead to; what each is for stands in `shared/model/schema.py`."""
