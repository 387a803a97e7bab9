"""Forms for the settings of a storage, as Label Studio's clients lay them out; made of what the providers say."""

from typing import Any

from shared.model.fields import Direction, Field
from shared.model.provider import Provider

WORDS = {word.lower(): word for word in ("AWS", "ARN", "SSE", "KMS", "ID", "S3", "SAS", "Google", "WIF")}
ABOUT = ("title", "description")


def form(provider: Provider, direction: Direction) -> list[dict[str, Any]]:
    """Rows of fields: what it is called, where it is, who we are, what is done. Secrets never hold a value."""
    fields = [field for field in provider.fields_of(direction) if not field.inert]
    about = [field for field in fields if field.name in ABOUT]
    secrets = [field for field in fields if field.secret]
    texts = [field for field in fields if field.kind == "text" and field not in [*about, *secrets]]
    others = [field for field in fields if field not in [*about, *secrets, *texts]]
    rows = [(2, about), (3, texts), (3, secrets), (1, [it for it in others if it.options])]
    rows.append((2, [it for it in others if not it.options]))
    return [{"columnCount": columns, "fields": [_shown(it) for it in row]} for columns, row in rows if row]


def _shown(field: Field) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "type": _type(field),
        "name": field.name,
        "label": field.label or _label(field.name),
        "required": field.needed,
        "tooltip": field.help,
    }
    if field.secret:
        return {**shown, "autoComplete": "new-password", "skipAutofill": True, "protectedValue": True}
    if field.options:
        shown["options"] = [{"value": value, "label": label} for value, label in field.options]
    if field.kind == "integer":
        shown |= {"min": field.minimum, "max": field.maximum}
    if field.default is not None:
        shown["value"] = field.default
    if field.name == "regex_filter":
        shown["validators"] = ["regexp"]
    return shown


def _type(field: Field) -> str:
    if field.secret:
        return "password"
    if field.options:
        return "select"
    return {"flag": "toggle", "integer": "number"}.get(field.kind, "text")


def _label(name: str) -> str:
    words = [WORDS.get(word, word) for word in name.split("_")]
    return " ".join([words[0][0].upper() + words[0][1:], *words[1:]])
