"""Lists of projects: what the caller may see, filters, order, pages."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from shared.errors import InvalidInputError, NotFoundError
from shared.model.project import Project
from shared.model.user import User
from shared.services.context import Context
from shared.services.paging import Pages

MAX_SEARCHED = 10_000
"""Projects that a filter looks at: it reads them all."""
AT_ONCE = 500
ORDERS: Mapping[str, Callable[[Project], Any]] = {
    "id": lambda project: project.id,
    "title": lambda project: (project.title.casefold(), project.title),
    "created_at": lambda project: project.created_at,
    "pinned_at": lambda project: project.pinned_at,
}
DEFAULT_ORDER = ("-pinned_at", "-created_at", "-id")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which projects, in which order. The default is all, pinned ones first, then the newest."""

    ids: frozenset[int] | None = None
    title: str = ""
    """What the title contains, in whatever case."""
    search: str = ""
    """What the title or the description contains."""
    pinned: bool | None = None
    order: tuple[str, ...] = ()
    """Names of `ORDERS`, "-name" descends."""

    def admits(self, project: Project) -> bool:
        """Whether a project is among them."""
        title, search = self.title.casefold(), self.search.casefold()
        return (
            (self.ids is None or project.id in self.ids)
            and title in project.title.casefold()
            and (search in project.title.casefold() or search in project.description.casefold())
            and self.pinned in {None, project.pinned_at > 0}
        )

    def sort(self, found: list[Project]) -> None:
        """Puts projects in order."""
        for name in reversed((*self.order, *DEFAULT_ORDER)):
            found.sort(key=ORDERS[name.removeprefix("-")], reverse=name.startswith("-"))


ALL = Wanted()


def page(
    ctx: Context, pages: Pages, number: int, size: int, *, user: User, wanted: Wanted = ALL
) -> tuple[list[Project], int]:
    """A page of what the user may see, counted from 1, and how many projects there are on all pages.

    All projects in the default order cost what a page costs. Anything else reads the titles of all; raises
    `InvalidInputError` where these are too many. `NotFoundError` behind the end.
    """
    if not user.admin:
        wanted = replace(wanted, ids=user.projects if wanted.ids is None else wanted.ids & user.projects)
    if wanted == ALL:
        documents = pages.read(ctx.documents, ctx.projects.listed(size), number, ctx.projects.count) if number else []
        found, count = [ctx.projects.stored(document).value for document in documents], ctx.projects.count()
    else:
        matching = [project for project in _candidates(ctx, wanted) if wanted.admits(project)]
        wanted.sort(matching)
        shown = [project.id for project in matching[(number - 1) * size : number * size]] if number else []
        found = [stored.value for stored in ctx.projects.get_many(shown) if stored is not None]
        count = len(matching)
    if not found and number != 1:
        raise NotFoundError("Invalid page.")
    return found, count


def _candidates(ctx: Context, wanted: Wanted) -> Iterator[Project]:
    """Projects that may be wanted; of those that a scan finds, only what filters and orders look at."""
    if wanted.ids is not None:
        numbers = sorted(wanted.ids)
        for at in range(0, len(numbers), AT_ONCE):
            yield from (stored.value for stored in ctx.projects.get_many(numbers[at : at + AT_ONCE]) if stored)
        return
    names = ("title", "created_at", "pinned_at", *(("description",) if wanted.search else ()))
    after, seen = None, 0
    while True:
        query = ctx.projects.query(after=after, limit=AT_ONCE, select=names)
        documents = ctx.documents.query(query)
        yield from (ctx.projects.stored(document).value for document in documents)
        seen += len(documents)
        if len(documents) < AT_ONCE:
            return
        if seen >= MAX_SEARCHED:
            text = f"There are too many projects to filter or order ({MAX_SEARCHED} or more): name some with `ids`."
            raise InvalidInputError.of("non_field_errors", text)
        after = query.cursor(documents[-1])
