"""A project: a title and a label config, whose first data key names what blob-mode tasks hold."""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from xml.etree import ElementTree

from shared.errors import InvalidInputError

EMPTY_CONFIG = "<View></View>"
MIN_TITLE, MAX_TITLE = 3, 50
MAX_CONFIG = 300_000
DATA_KEY = re.compile(r"\$(\w+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """What tasks belong to."""

    id: int
    title: str
    description: str = ""
    label_config: str = EMPTY_CONFIG
    created_at: float
    created_by: int = 1
    color: str = "#FFFFFF"
    maximum_annotations: int = 1
    expert_instruction: str = ""
    show_instruction: bool = False

    @property
    def data_key(self) -> str | None:
        """The first data key of the label config, such as `image` for `<Image value="$image"/>`."""
        found = DATA_KEY.search(self.label_config)
        return found.group(1) if found else None

    @property
    def data_keys(self) -> tuple[str, ...]:
        """The data keys that the label config's objects show, each once."""
        return _data_keys(self.label_config)


@lru_cache(maxsize=128)
def _data_keys(label_config: str) -> tuple[str, ...]:
    try:
        root = ElementTree.fromstring(label_config)  # noqa: S314  checked when it was saved
    except ElementTree.ParseError:
        return ()
    shown = (tag.attrib.get("value", "") for tag in root.iter() if "name" in tag.attrib and "toName" not in tag.attrib)
    keys = (DATA_KEY.match(value) for value in shown)
    return tuple(dict.fromkeys(key.group(1) for key in keys if key))


def clean_project(given: dict[str, Any], *, partial: bool) -> dict[str, Any]:
    """The fields of a request, checked. Raises `InvalidInputError` naming every bad field."""
    values: dict[str, Any] = {}
    problems: dict[str, list[str]] = {}
    texts = {"title": MAX_TITLE, "description": 100_000, "expert_instruction": 100_000, "color": 16}
    for name, limit in {**texts, "label_config": MAX_CONFIG}.items():
        if name not in given:
            continue
        value = "" if given[name] is None else given[name]
        if not isinstance(value, str) or "\0" in value:
            problems[name] = ["Not a valid string."]
        elif len(value) > limit:
            problems[name] = [f"Ensure this field has no more than {limit} characters."]
        else:
            values[name] = value
    title = values.get("title", None if partial else "New project" if "title" not in given else None)
    if title is not None:
        values["title"] = title
        if len(title) < MIN_TITLE:
            problems["title"] = [f"Ensure this field has at least {MIN_TITLE} characters."]
    if "label_config" in values:
        values["label_config"] = values["label_config"] or EMPTY_CONFIG
        try:
            _check_config(values["label_config"])
        except ValueError as error:
            problems["label_config"] = [str(error)]
    if "maximum_annotations" in given:
        number = given["maximum_annotations"]
        if isinstance(number, bool) or not isinstance(number, int) or not 1 <= number <= 1000:
            problems["maximum_annotations"] = ["Ensure this value is between 1 and 1000."]
        values["maximum_annotations"] = number
    if "show_instruction" in given:
        values["show_instruction"] = bool(given["show_instruction"])
    if problems:
        raise InvalidInputError(fields=problems)
    return values


def _check_config(text: str) -> None:
    """Well-formed XML without a document type (entity bombs)."""
    if "<!" in text.replace("<!--", "").replace("<![CDATA[", ""):
        raise ValueError("Label config must not contain a document type or entities.")
    try:
        ElementTree.fromstring(text)  # noqa: S314  no document type, so no entities
    except ElementTree.ParseError as error:
        raise ValueError(f"Label config is no valid XML: {error}.") from None
