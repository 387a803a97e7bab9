"""What every route takes from a request: ids, page numbers, and a body that is bounded while it is read."""

import re
from collections.abc import Sequence
from typing import Annotated, Any
from urllib.parse import parse_qsl

import orjson
from fastapi import Depends, Header, Path, Query, Request
from pydantic import WithJsonSchema
from starlette.exceptions import HTTPException

from functions.dependencies import Caller, Ctx
from shared.errors import InvalidInputError
from shared.services import idempotency

MAX_FORM_FIELDS = 1000
SMALL_BODY = 16 * 1024


def number(text: str | None) -> int:
    """A positive id, or 0, which nothing has, for what is none."""
    return int(text) if text and re.fullmatch(r"[0-9]{1,18}", text) else 0


def page_number(text: str | None) -> int:
    """A page, 1 if not given, 0 for what is none."""
    return 1 if text is None else number(text)


def page_size(text: str | None, default: int, maximum: int) -> int:
    """A page size; what is none is the default."""
    return min(number(text) or default, maximum)


def ordered(items: list[dict[str, Any]], ordering: str, names: Sequence[str]) -> list[dict[str, Any]]:
    """Sorted by a field, backwards with "-" before its name; what is none of the names changes nothing."""
    name = ordering.removeprefix("-")
    if name not in names:
        return items
    return sorted(items, key=lambda item: item[name], reverse=ordering.startswith("-"))


async def json_value(request: Request, ctx: Ctx) -> Any:
    """The body: JSON, or the fields of a form; none is an empty object. Never holds more than the limit in memory."""
    return await _value(request, ctx.settings.max_body_bytes)


async def _value(request: Request, limit: int) -> Any:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    large = " Put large data into a bucket and connect it as a storage; the limit is SLUICE_MAX_BODY_BYTES."
    body = await bounded_body(request, limit, hint=large if limit > SMALL_BODY else "")
    if not body:
        return {}
    if kind == "application/x-www-form-urlencoded":
        return _form(body)
    if kind not in {"", "application/json"} and not kind.endswith("+json"):
        raise HTTPException(415, f'Unsupported media type "{kind[:100]}" in request: send application/json.')
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise HTTPException(400, f"JSON parse error - {error}") from None


def json_object(value: Annotated[Any, Depends(json_value)]) -> dict[str, Any]:
    """The fields of the body, which must be a JSON object or a form."""
    if not isinstance(value, dict):
        names = {list: "a list", str: "a string", type(None): "null", bool: "true or false"}
        found = names.get(type(value), "a number")
        raise InvalidInputError.of("non_field_errors", f"Invalid data. Expected a JSON object, but got {found}.")
    return value


async def small_object(request: Request) -> dict[str, Any]:
    """The same of a small body: for routes that anybody may call."""
    return json_object(await _value(request, SMALL_BODY))


async def bounded_body(request: Request, limit: int, *, hint: str = "") -> bytes:
    """The body, of which no more than the limit is ever held. Raises the `HTTPException` for a larger one."""
    too_large = HTTPException(413, f"The body of the request is larger than {limit} bytes.{hint}")
    if number(request.headers.get("content-length")) > limit:
        raise too_large
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > limit:
            raise too_large
        parts.append(part)
    return b"".join(parts)


def _form(body: bytes) -> dict[str, Any]:
    try:
        return dict(parse_qsl(body.decode(), keep_blank_values=True, errors="strict", max_num_fields=MAX_FORM_FIELDS))
    except ValueError:
        raise HTTPException(400, "Form parse error - not URL-encoded UTF-8, or too many fields") from None


Given = Annotated[dict[str, Any], Depends(json_object)]
GivenJson = Annotated[Any, Depends(json_value)]
IdempotencyKey = Annotated[
    str,
    Header(
        alias="Idempotency-Key",
        max_length=200,
        description="Any text of your own, new for each thing to be made: a request that is repeated with it makes no "
        "second one.",
    ),
]
GivenSmall = Annotated[dict[str, Any], Depends(small_object)]


def once(request: Request, ctx: Ctx, user: Caller, given: Given, key: IdempotencyKey = "") -> idempotency.Once | None:
    """What makes a repeated request one, if its client asked for that."""
    route = f"{request.method} {request.scope['path']}"
    return idempotency.Once(ctx, user=user.id, route=route, key=key, body=given) if key else None


Once = Annotated[idempotency.Once | None, Depends(once)]
Number = Annotated[str | None, WithJsonSchema({"type": "integer", "minimum": 1})]
Flag = Annotated[str, WithJsonSchema({"type": "boolean"})]
"""Texts that are documented as what they should be: others are answered as by Label Studio, not as by FastAPI."""
PathNumber = Annotated[str, WithJsonSchema({"type": "integer", "minimum": 1})]
Id = Annotated[PathNumber, Path(description="A positive number.")]
Page = Annotated[Number, Query(description="Counts from 1.")]
PageSize = Annotated[Number, Query(alias="page_size", description="How many at once.")]
