"""The fields of a webhook as requests give them, checked one by one."""

import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from shared.errors import InvalidInputError
from shared.model.webhook import ACTIONS

MAX_URL = 2048
MAX_HEADERS = 10
MAX_HEADER_VALUE = 4096
FLAGS = ("is_active", "send_payload", "send_for_all_actions")
OURS = frozenset(
    {"host", "user-agent", "content-length", "content-type", "connection", "transfer-encoding", "expect", "upgrade"}
)
"""Headers that say how the request itself is sent."""
OUR_PREFIX = "x-sluice-"

_HEADER_NAME = re.compile(r"[A-Za-z0-9_-]{1,100}")
_HEADER_VALUE = re.compile(r"[\x20-\x7e\t]*")
_TRUE, _FALSE = {"true", "1", "yes", "on"}, {"false", "0", "no", "off"}


def clean_webhook(given: Mapping[str, Any], *, partial: bool, organization: bool) -> dict[str, Any]:
    """The fields of a request, checked: url, headers, flags, actions; what is absent only if not `partial`.

    `organization`: for a webhook of all projects, which may name every action. Raises `InvalidInputError` naming
    every bad field. A text never quotes an address or the value of a header.
    """
    checks: dict[str, Callable[[Any], Any]] = {"url": _url, "headers": _headers, **dict.fromkeys(FLAGS, _flag)}
    checks["actions"] = lambda value: _actions(value, organization=organization)
    values: dict[str, Any] = {} if partial else {**dict.fromkeys(FLAGS, True), "actions": ()}
    problems: dict[str, list[str]] = {}
    for name, check in checks.items():
        if name in given:
            try:
                values[name] = check(given[name])
            except ValueError as error:
                problems[name] = [str(error)]
    if not partial and "url" not in given:
        problems["url"] = ["This field is required."]
    if problems:
        raise InvalidInputError(fields=problems)
    return values


def _url(value: Any) -> str:
    if value is None:
        raise ValueError("This field may not be null.")
    if not isinstance(value, str):
        raise ValueError("Not a valid string.")  # noqa: TRY004  all of them are told alike
    url = value.strip()
    if not url:
        raise ValueError("This field may not be blank.")
    if len(url) > MAX_URL:
        raise ValueError(f"Ensure this field has no more than {MAX_URL} characters.")
    if not re.fullmatch(r"[\x21-\x7e]+", url) or "\\" in url:
        raise ValueError("Enter a valid URL: printable ASCII, other characters percent-encoded or in punycode.")
    try:
        parts = urlsplit(url)
        valid = bool(parts.hostname) and parts.port != 0
    except ValueError:
        valid = False
    else:
        if parts.scheme not in {"http", "https"}:
            raise ValueError("Enter a valid URL: it begins with http:// or https://.")
    if not valid:
        raise ValueError("Enter a valid URL: the name of its host, or its port, is missing or wrong.")
    if "@" in parts.netloc:
        raise ValueError("A URL must not hold a name or password; put them into a header, where they are encrypted.")
    return url.partition("#")[0]


def _headers(value: Any) -> dict[str, str]:
    if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
        raise ValueError("Expected a JSON object whose values are strings.")
    if len(value) > MAX_HEADERS:
        raise ValueError(f"Ensure there are no more than {MAX_HEADERS} headers.")
    for name, text in value.items():
        if not _HEADER_NAME.fullmatch(name):
            raise ValueError(f"{name[:100]!r} is not the name of a header: letters, digits, - and _ make one.")
        if name.lower() in OURS or name.lower().startswith(OUR_PREFIX):
            raise ValueError(f"The header {name} is set by Sluice itself.")
        if not _HEADER_VALUE.fullmatch(text) or len(text) > MAX_HEADER_VALUE:
            raise ValueError(f"The value of {name} must be one line of ASCII, at most {MAX_HEADER_VALUE} characters.")
    if len({name.lower() for name in value}) < len(value):
        raise ValueError("A header is named twice.")
    return dict(value)


def _flag(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    text = str(value).lower()
    if text not in _TRUE | _FALSE:
        raise ValueError("Must be a valid boolean.")
    return text in _TRUE


def _actions(value: Any, *, organization: bool) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise ValueError("Expected a list of items.")  # noqa: TRY004
    for action in value:
        if not isinstance(action, str) or action not in ACTIONS:
            raise ValueError(f'"{str(action)[:100]}" is not a valid choice. Choices are {", ".join(ACTIONS)}.')
        if ACTIONS[action].organization_only and not organization:
            raise ValueError(f"Project webhook can't contain organization-only action, such as {action}.")
    return tuple(dict.fromkeys(value))
