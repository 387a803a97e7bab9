"""What the stand-in providers know: the schemas in schemas/*.json, which `infra.terraform.extract` makes.

A file holds the arguments of the provider's own block and, by kind, the types. A block has `attributes`, each
[how, type] or [how, type, "sensitive"], and `blocks`, each with nesting, min and max (0: any number).

how: required; optional; filled (optional, and the cloud fills it in); computed; write-only (never in a state).
type: as in the plugin protocol, such as "string" or ["list", "string"].
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "schemas"
KINDS = ("resource", "data", "ephemeral")


@dataclass(frozen=True)
class Attribute:
    """One argument or exported value."""

    how: str
    type: Any
    sensitive: bool

    @property
    def made_by_cloud(self) -> bool:
        """Whether it has a value though nobody gives one."""
        return self.how in {"computed", "filled"}


@dataclass(frozen=True)
class Block:
    """The inside of a block: of a type's, a provider's or a nested one."""

    attributes: dict[str, Attribute]
    blocks: dict[str, "Nested"]


@dataclass(frozen=True)
class Nested:
    """A block inside another."""

    nesting: str
    least: int
    most: int
    block: Block


@dataclass(frozen=True)
class Schema:
    """One provider."""

    source: str
    version: str
    provider: Block
    types: dict[str, dict[str, Block]]
    """By kind and name."""


def names() -> list[str]:
    """The providers that have a file."""
    return sorted(path.stem for path in FOLDER.glob("*.json"))


def load(name: str) -> Schema:
    """The schema of one provider, such as `google`."""
    said = json.loads((FOLDER / f"{name}.json").read_text())
    types = {kind: {name: _block(block) for name, block in said[kind].items()} for kind in KINDS}
    return Schema(said["source"], said["version"], _block(said["provider"]), types)


def _block(said: dict[str, Any]) -> Block:
    attributes = {name: Attribute(one[0], one[1], len(one) > 2) for name, one in said["attributes"].items()}
    blocks = {name: Nested(one["nesting"], one["min"], one["max"], _block(one)) for name, one in said["blocks"].items()}
    return Block(attributes, blocks)
