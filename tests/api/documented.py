"""Every answer of every test of the API is compared with the document at /openapi.json.

A status that the document does not have for that operation is refused, and so is a body that is not as described. The
document leaves room for more fields; here there is none, so that each field of an answer is described.
"""

import json
import re
from functools import cache
from typing import Any

import httpx
import jsonschema_rs

from functions.app import create_app

COMPONENT = re.compile(r'"#/components/schemas/([^"]+)"')
METHODS = ("get", "put", "post", "delete", "patch")


@cache
def document() -> dict[str, Any]:
    return create_app(lambda: None).openapi()  # type: ignore[arg-type, return-value]


def resolved(node: dict[str, Any]) -> dict[str, Any]:
    """What a reference stands for."""
    while "$ref" in node:
        found: Any = document()
        for name in node["$ref"].removeprefix("#/").split("/"):
            found = found[name]
        node = found
    return node


def strict(node: Any) -> Any:
    """The schema, with no other properties than those that it has."""
    if isinstance(node, list):
        return [strict(inner) for inner in node]
    if not isinstance(node, dict):
        return node
    kept = {name: strict(inner) for name, inner in node.items()}
    if isinstance(node.get("properties"), dict) and "additionalProperties" not in node:
        kept["additionalProperties"] = False
    return kept


@cache
def paths() -> list[tuple[re.Pattern[str], str]]:
    """Patterns of all paths; those without parameters first, as they are matched first."""
    templates = sorted(document()["paths"], key=lambda path: path.count("{"))
    return [(re.compile(re.sub(r"\{[^}]+\}", "[^/]+", path)), path) for path in templates]


@cache
def components() -> dict[str, Any]:
    return {"schemas": strict(document()["components"]["schemas"])}


@cache
def validator(path: str, method: str, status: str) -> Any:
    answers = document()["paths"][path][method]["responses"]
    content = resolved(answers[status]).get("content")
    if content is None or "application/json" not in content:
        return None
    return compiled(json.dumps(strict(content["application/json"]["schema"]), sort_keys=True))


@cache
def compiled(schema: str) -> Any:
    """One for all operations that answer the same, with the components that it speaks of: all take megabytes each."""
    found: dict[str, Any] = {}
    texts = [schema]
    while texts:
        for name in COMPONENT.findall(texts.pop()):
            if name not in found:
                found[name] = components()["schemas"][name]
                texts.append(json.dumps(found[name]))
    return jsonschema_rs.Draft202012Validator({**json.loads(schema), "components": {"schemas": found}})


def faults(method: str, path: str, answer: httpx.Response) -> list[str]:
    """What of an answer the document does not say; nothing for what is no operation of the document."""
    path = path.rstrip("/")
    known = next((template for pattern, template in paths() if pattern.fullmatch(path)), None)
    operation = document()["paths"][known].get(method.lower()) if known else None
    if known is None or operation is None:
        return []
    status = str(answer.status_code)
    if status not in operation["responses"]:
        return [f"status {status} is not documented"]
    found = []
    for header, about in resolved(operation["responses"][status]).get("headers", {}).items():
        if about.get("required") and header not in answer.headers:
            found.append(f"the header {header} is missing")
    check = validator(known, method.lower(), status)
    if check is None:
        empty = "content" not in resolved(operation["responses"][status])
        return found + (["there should be no body"] if empty and answer.content else [])
    kind = answer.headers.get("content-type")
    if kind != "application/json":
        return [*found, f"the content type is {kind}"]
    return found + [f"{list(error.instance_path)}: {error.message[:300]}" for error in check.iter_errors(answer.json())]


def compare(answer: httpx.Response) -> None:
    """A hook for clients: the answer is as documented. A 500 is a defect that a test provoked: no document has it."""
    request = answer.request
    if request.method != "HEAD" and answer.status_code != 500:
        answer.read()
        found = faults(request.method, request.url.path, answer)
        assert not found, f"{request.method} {request.url.path}: {answer.status_code}: {found}"


def client(**options: Any) -> httpx.Client:
    """A client whose answers are compared."""
    # It speaks to loopback in the clear: certificates would take longer to load than a request takes.
    return httpx.Client(timeout=60, trust_env=False, verify=False, event_hooks={"response": [compare]}, **options)
