"""The document at /openapi.json: made when it is first asked for, of the routes and the models that they keep.

What a route may answer with besides its success follows from what it takes: nobody has to remember it. A status that
does not follow (a 403 for some bodies, an error with another body) stands in the route's `responses`.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.openapi.utils import get_openapi
from fastapi.routing import iter_route_contexts
from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema

from functions.access import admin
from functions.dependencies import authenticated, context
from functions.routes import Route
from functions.schemas import ErrorBody

Mode = Literal["validation", "serialization"]
JSON = "application/json"
REF = "#/components/schemas/{model}"
TAGS = {
    "Projects": "What tasks and storages belong to.",
    "Import storages": "Buckets and folders whose objects become tasks. Each type has its own routes.",
    "Export storages": "Buckets and folders that annotations are written to.",
    "Dataset storages": "Buckets and folders whose objects are records of the organisation's, outside of projects. "
    "For admins.",
    "Tasks": "What is labelled.",
    "Import": "Tasks and predictions that come with a request.",
    "Annotations": "What people said of tasks.",
    "Predictions": "What models said of tasks.",
    "Media": "What browsers load of tasks' objects.",
    "Webhooks": "Whom events are posted to.",
    "Users": "Who has access, and who calls.",
    "Tokens": "Refresh tokens, and the access tokens that they are exchanged for.",
    "Server": "Open to everybody.",
}
SECURITY = {
    "Token": {
        "type": "apiKey",
        "in": "header",
        "name": "Authorization",
        "description": "`Token <your token>`: the word, a blank, the token.",
    },
    "Bearer": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "An access token, for which POST /api/token/refresh exchanges a refresh token.",
    },
    "ApiKey": {
        "type": "apiKey",
        "in": "header",
        "name": "X-API-Key",
        "description": "Any of your tokens, alone.",
    },
}
SUCCESS = {200: "Done.", 201: "Made.", 204: "Done; there is no body."}


class Refusal(NamedTuple):
    """A status that many routes share."""

    name: str
    description: str
    headers: Mapping[str, str] = MappingProxyType({})


REFUSALS = {
    400: Refusal("Invalid", "The request is not valid; `validation_errors` names the fields."),
    401: Refusal(
        "Unauthenticated", "No token, or not a good one.", {"WWW-Authenticate": "How to authenticate: `Token`."}
    ),
    403: Refusal("Forbidden", "You may not do this: it takes an admin."),
    404: Refusal("NotFound", "There is no such thing, or none that you may see."),
    413: Refusal("TooLarge", "The body is larger than this server takes."),
    415: Refusal("UnsupportedMediaType", "The body is neither JSON nor a form."),
    503: Refusal(
        "Busy",
        "A service behind this one does not answer or is too busy, or there is more to do than one request may: send "
        "the same request again.",
        {"Retry-After": "Seconds to wait before that."},
    ),
}


class Operation(NamedTuple):
    """A route as it is in the document."""

    route: Route
    dependant: Dependant
    said: dict[str, Any]


class Plain(GenerateJsonSchema):
    """Schemas whose properties have no titles: those would only repeat the names."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002
        """Never."""
        return False


def openapi(app: FastAPI) -> dict[str, Any]:
    """The whole document."""
    document = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
    operations = list(_operations(app, document))
    shapes = Shapes(operations)
    for operation in operations:
        _describe(operation, shapes)
    document["tags"] = [{"name": name, "description": text} for name, text in TAGS.items()]
    document["components"] = {
        "schemas": dict(sorted(shapes.schemas.items())),
        "responses": {refusal.name: _shared(refusal, shapes) for refusal in REFUSALS.values()},
        "securitySchemes": SECURITY,
    }
    return document


def _operations(app: FastAPI, document: dict[str, Any]) -> Iterator[Operation]:
    for found in iter_route_contexts(app.routes):
        route = found.original_route
        if isinstance(route, Route) and route.include_in_schema:
            for method in found.methods or ():
                said = document["paths"][found.path_format][method.lower()]
                yield Operation(route, found.dependant, said)


def _calls(dependant: Dependant) -> Iterator[Callable[..., Any] | None]:
    """The function of a route, and all that it depends on."""
    yield dependant.call
    for inner in dependant.dependencies:
        yield from _calls(inner)


def _describe(operation: Operation, shapes: "Shapes") -> None:
    """Completes what FastAPI says of a route."""
    route, dependant, said = operation
    calls = set(_calls(dependant))
    said["security"] = [{name: []} for name in SECURITY] if authenticated in calls else []
    said["operationId"] = route.name
    said["summary"] = re.split(r"[.;:](?:\s|$)", said["description"])[0].replace("\n", " ")
    for parameter in said.get("parameters", ()):
        parameter["schema"] = _of_parameter(parameter["schema"])
    if route.body:
        content = shapes.content(route.body, "validation")
        said["requestBody"] = {"required": shapes.is_needed(content["schema"]), "content": {JSON: content}}
    status = route.status_code or 200
    success: dict[str, Any] = {"description": SUCCESS[status]}
    if route.answer:
        success["content"] = {JSON: shapes.content(route.answer, "serialization")}
    answers: dict[int, dict[str, Any]] = {status: success}
    for refusal in sorted(_refused(operation, calls)):
        answers[refusal] = {"$ref": f"#/components/responses/{REFUSALS[refusal].name}"}
    for other, given in route.responses.items():
        if "model" in given:
            content = {JSON: shapes.content(given["model"], "serialization")}
            answers[int(other)] = {"description": given["description"], "content": content}
        elif given:
            answers[int(other)] = given
    said["responses"] = {str(number): answers[number] for number in sorted(answers)}


def _of_parameter(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema without what the parameter itself says, and without null and "", which stand for "not given"."""
    kept = {name: value for name, value in schema.items() if name not in {"title", "description"}}
    kinds = [kind for kind in kept.pop("anyOf", []) if kind != {"type": "null"}]
    kept |= kinds[0] if len(kinds) == 1 else {"anyOf": kinds} if kinds else {}
    return {name: value for name, value in kept.items() if (name, value) != ("default", "")}


def _refused(operation: Operation, calls: set[Callable[..., Any] | None]) -> set[int]:
    route, _, said = operation
    found = {int(status) for status in route.responses} & REFUSALS.keys()
    if context in calls:
        found |= {400, 503}
    if authenticated in calls:
        found |= {401}
    if admin in calls:
        found |= {403}
    if any(parameter["in"] != "header" for parameter in said.get("parameters", ())):
        found |= {404}
    if route.body:
        found |= {413, 415}
    return found


def _shared(refusal: Refusal, shapes: "Shapes") -> dict[str, Any]:
    answer: dict[str, Any] = {
        "description": refusal.description,
        "content": {JSON: shapes.content(ErrorBody, "serialization")},
    }
    if refusal.headers:
        answer["headers"] = {
            name: {"description": text, "required": True, "schema": {"type": "string"}}
            for name, text in refusal.headers.items()
        }
    return answer


class Shapes:
    """The schemas of all bodies and answers, each once under its name."""

    def __init__(self, operations: list[Operation]) -> None:
        wanted: dict[tuple[Any, Mode], TypeAdapter[Any]] = {(ErrorBody, "serialization"): TypeAdapter(ErrorBody)}
        for route, _, _ in operations:
            for shape in (route.answer, *(given.get("model") for given in route.responses.values())):
                if shape and not _is_made(shape):
                    wanted[shape, "serialization"] = TypeAdapter(shape)
            if route.body and not _is_made(route.body):
                wanted[route.body, "validation"] = TypeAdapter(route.body)
        inputs = [(shape, mode, adapter) for (shape, mode), adapter in wanted.items()]
        self._known, definitions = TypeAdapter.json_schemas(inputs, ref_template=REF, schema_generator=Plain)
        self.schemas: dict[str, Any] = definitions.get("$defs", {})

    def content(self, shape: Any, mode: Mode) -> dict[str, Any]:
        """The schema of a shape, mostly a reference, and the first example that it gives."""
        schema = self._named(shape()) if _is_made(shape) else self._known[shape, mode]
        whole = self._whole(schema)
        return {"schema": schema, **({"example": whole["examples"][0]} if "examples" in whole else {})}

    def is_needed(self, schema: dict[str, Any]) -> bool:
        """Whether no body, which is an empty object, would not do."""
        whole = self._whole(schema)
        return whole.get("type") != "object" or bool(whole.get("required"))

    def _whole(self, schema: dict[str, Any]) -> dict[str, Any]:
        whole: dict[str, Any] = self.schemas.get(schema.get("$ref", "").rpartition("/")[2], schema)
        return whole

    def _named(self, schema: Any) -> Any:
        """A schema made by hand, with those inside that have a title put in their place."""
        if isinstance(schema, list):
            return [self._named(inner) for inner in schema]
        if not isinstance(schema, dict):
            return schema
        kept = {name: inner if name == "examples" else self._named(inner) for name, inner in schema.items()}
        title = kept.get("title")
        if not isinstance(title, str) or "type" not in kept:
            return kept
        self.schemas[title] = kept
        return {"$ref": REF.format(model=title)}


def _is_made(shape: Any) -> bool:
    """Whether it is a function that makes a JSON schema."""
    return callable(shape) and not isinstance(shape, type) and not hasattr(shape, "__origin__")
