"""What an export storage calls its objects: the rule for templates of names, and the names made of them."""

import re
from datetime import UTC, datetime
from typing import Literal

Format = Literal["annotation", "task"]
"""What an object holds: one annotation, or a task with all of its annotations."""

DEFAULT_TEMPLATES: dict[Format, str] = {"annotation": "{annotation}", "task": "{task}.json"}
PLACEHOLDERS: dict[Format, tuple[str, ...]] = {
    "annotation": ("project", "task", "annotation", "year", "month", "day"),
    "task": ("project", "task", "year", "month", "day"),
}
MAX_TEMPLATE = 300
OWN_FOLDER = ".sluice"
"""Below the prefix, for what Sluice keeps of its own there."""

_part = re.compile(r"\{([^{}]*)\}")
_control = re.compile(r"[\x00-\x1f\x7f]")


def template_problem(template: str, format: Format) -> str:  # noqa: A002  the field's own name
    """What is wrong with a template, for people; "" if nothing is.

    A good one gives each annotation (in task format: each task) a name of its own, which stays below the prefix.
    """
    if len(template) > MAX_TEMPLATE:
        return f"Ensure this field has no more than {MAX_TEMPLATE} characters."
    if _control.search(template):
        return "Control characters are not allowed."
    names, known = _part.findall(template), PLACEHOLDERS[format]
    if unknown := [name for name in names if name not in known]:
        return f"{{{unknown[0]}}} is no placeholder of this format: there are {_listed(known)}."
    if "{" in (rest := _part.sub("0", template)) or "}" in rest:
        return "A brace without its other half: braces are for placeholders only."
    if format not in names:
        return f"Must contain {{{format}}}, so that no two objects have the same name."
    # Digits beside it could be taken for a part of it: {task}{annotation} is 123 for 1 and 23, and for 12 and 3.
    if not re.search(rf"(?<![0-9}}])\{{{format}\}}(?![0-9{{])", template):
        return f"Put something that is no digit between {{{format}}} and what stands beside it: a dash or a slash."
    segments = template.split("/")
    if "" in segments:
        return "No slash at the ends, and no two in a row: the prefix is put before it with a slash."
    if {".", ".."} & set(segments):
        return 'The segments "." and ".." are not allowed.'
    if segments[0] == OWN_FOLDER:
        return f"The folder {OWN_FOLDER} is for Sluice's own files."
    return ""


def object_name(
    template: str | None,
    format: Format,  # noqa: A002
    *,
    project: int,
    task: int,
    annotation: int | None,
    created_at: float,
) -> str:
    """Name of an object below the storage's prefix. `template` is a good one, or nothing for the default.

    `created_at`: when the annotation (in task format: the task) was made; its day in UTC is that of the placeholders,
    so a name never changes. `annotation` is not looked at in task format.
    """
    day = datetime.fromtimestamp(created_at, UTC)
    values = {
        "project": str(project),
        "task": str(task),
        "annotation": str(annotation),
        "year": f"{day.year:04}",
        "month": f"{day.month:02}",
        "day": f"{day.day:02}",
    }
    return _part.sub(lambda found: values[found[1]], template or DEFAULT_TEMPLATES[format])


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(f"{{{name}}}" for name in names)
