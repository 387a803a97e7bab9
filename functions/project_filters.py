"""What the SDK's `projects.list` and `projects.list_counts` can ask for, as values."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Query

from functions.requests import Page, PageSize, number, page_number, page_size
from shared.errors import InvalidInputError
from shared.services.project_lists import ORDERS, Wanted
from shared.services.projects import COUNTERS

PAGE_SIZE, MAX_PAGE_SIZE = 30, 100
MAX_IDS = 1000
MAX_SEARCH = 256
FILTERS = {"all": None, "pinned_only": True, "exclude_pinned": False}
ABSENT = "Sluice has none: leave it out."


@dataclass(frozen=True, slots=True)
class Listed:
    """A page of a list: which projects, and which of their counters."""

    wanted: Wanted
    counters: frozenset[str]
    page: int
    size: int


def listed(
    page: Page = None,
    size: PageSize = None,
    ids: Annotated[str | None, Query(description="Separated by commas.")] = None,
    title: Annotated[str | None, Query(description="Contained in the title, in whatever case.")] = None,
    search: Annotated[str | None, Query(description="Contained in the title or the description.")] = None,
    pinned: Annotated[str | None, Query(alias="filter", description="all, pinned_only or exclude_pinned.")] = None,
    ordering: Annotated[
        str | None, Query(description="id, title, created_at, pinned_at; with - descending; several with commas.")
    ] = None,
    include: Annotated[
        str | None, Query(description="The counters to give, separated by commas; others are null.")
    ] = None,
    archived: Annotated[str | None, Query(description="There are no archived projects.")] = None,
    workspaces: Annotated[str | None, Query(description="There are none.")] = None,
    state: Annotated[str | None, Query(description="There are none.")] = None,
    source_interface_id: Annotated[str | None, Query(description="There are none.")] = None,
) -> Listed:
    """The page that a request asks for. Raises `InvalidInputError` for what it can't be."""
    problems: dict[str, list[str]] = {}
    refused = {"workspaces": workspaces, "state": state, "source_interface_id": source_interface_id}
    problems |= {name: [ABSENT] for name, value in refused.items() if value}
    if archived and archived.lower() not in {"false", "0"}:
        problems["archived"] = [ABSENT]
    numbers = _words(ids)
    if ids is not None and (not all(map(number, numbers)) or len(numbers) > MAX_IDS):
        problems["ids"] = [f"Write at most {MAX_IDS} numbers, separated by commas."]
    problems |= {
        name: [f"Ensure this field has no more than {MAX_SEARCH} characters."]
        for name, value in {"title": title, "search": search}.items()
        if value and len(value) > MAX_SEARCH
    }
    if (pinned or "all") not in FILTERS:
        problems["filter"] = [f"Write one of {', '.join(FILTERS)}."]
    order = tuple(_words(ordering))
    if len(order) > len(ORDERS) or not {name.removeprefix("-") for name in order} <= set(ORDERS):
        problems["ordering"] = [f"Write some of {', '.join(ORDERS)}, with - in front for descending."]
    counters = frozenset(_words(include)) if include is not None else frozenset(COUNTERS)
    if not counters <= set(COUNTERS):
        problems["include"] = [f"Write some of {', '.join(COUNTERS)}."]
    if problems:
        raise InvalidInputError(fields=problems)
    wanted = Wanted(
        ids=None if ids is None else frozenset(map(number, numbers)),
        title=title or "",
        search=search or "",
        pinned=FILTERS[pinned or "all"],
        order=order,
    )
    return Listed(wanted, counters, page_number(page), page_size(size, PAGE_SIZE, MAX_PAGE_SIZE))


def _words(text: str | None) -> list[str]:
    return [word for part in (text or "").split(",") if (word := part.strip())]


Listing = Annotated[Listed, Depends(listed)]
