"""Reads what a Terraform provider knows from the package that CDKTF generated of that provider's own schema.

Such a package holds TypeScript of a fixed form: a class for each type and each block, with a line for each attribute
that says whether it is computed, optional, required. No code of it is run.
"""

import base64
import io
import json
import re
import tarfile
import zipfile
from pathlib import Path
from typing import Any

_FIELD = re.compile(r"^  // (\w+) - computed: (\w+), optional: (\w+), required: (\w+)\n(.*?)(?=^  // |\Z)", re.M | re.S)
_NESTED = re.compile(r'= new (\w+)\(this, "\w+"(?:, (true|false))?\)')
_WRITER, _WRITER_END = "  protected synthesizeHclAttributes()", "\n  }\n"
_PLAIN = {"String": "string", "Number": "number", "Boolean": "bool", "StringMap": ["map", "string"]}
_STORED = {"string": "string", "boolean": "bool", "number": "number"}
_MAPS = {"StringMap": "string", "NumberMap": "number", "BooleanMap": "bool"}
_SECRET = {"secret_data", "secret_data_wo", "result", "bcrypt_hash", "primary_access_key", "secondary_access_key"}


class Package:
    """One provider's package: a wheel."""

    def __init__(self, wheel: Path) -> None:
        with zipfile.ZipFile(wheel) as archive:
            inner = next(name for name in archive.namelist() if name.endswith(".jsii.tgz"))
            packed = io.BytesIO(archive.read(inner))
        self._sources: dict[str, bytes] = {}
        with tarfile.open(fileobj=packed) as files:
            for member in files:
                if member.name.endswith("/index.js") and (file := files.extractfile(member)):
                    self._sources[_key(member.name.split("/")[-2])] = file.read()

    def version(self) -> str:
        """The provider's version."""
        found = re.search(r"/providers/\w+/\w+/([\d.]+)/docs", self._typescript("provider"))
        if found is None:
            raise LookupError("the package does not say which version of the provider it was made of")
        return found[1]

    def provider(self) -> dict[str, Any]:
        """The arguments of a `provider` block, but for the endpoints of single services, of which there are many."""
        source = self._typescript("provider")
        found = _arguments(source, _between(source, _WRITER, _WRITER_END))
        all_of_them = found["attributes"].items()
        found["attributes"] = {k: v for k, v in all_of_them if k != "alias" and not k.endswith("_custom_endpoint")}
        return found

    def type(self, kind: str, name: str) -> dict[str, Any]:
        """A type's arguments and what it exports. kind: resource, data."""
        short = name.partition("_")[2]
        for key in [f"data{name}"] if kind == "data" else [short, name, f"{short}resource"]:
            if _key(key) in self._sources:
                source = self._typescript(key)
                if f'tfResourceType = "{name}"' in source:
                    top = re.search(r"^export class \w+ extends cdktf\.Terraform\w+ \{", source, re.M)
                    return _block(source, top[0] if top else "", _WRITER, _WRITER_END)
        raise LookupError(f"the package has no {kind} {name}")

    def _typescript(self, key: str) -> str:
        encoded = self._sources[_key(key)].rpartition(b"base64,")[2]
        return str(json.loads(base64.b64decode(encoded))["sourcesContent"][0])


def _key(name: str) -> str:
    return re.sub(r"[-_]", "", name)


def _between(source: str, start: str, end: str) -> str:
    return source.partition(start)[2].partition(end)[0]


def _block(source: str, start: str, writer: str, end: str) -> dict[str, Any]:
    """Attributes and blocks of one class. `writer` starts the function that tells blocks from attributes."""
    written = _between(source, writer, end)
    attributes: dict[str, Any] = {}
    blocks: dict[str, Any] = {}
    for name, computed, optional, required, body in _FIELD.findall(_between(source, start, "\n}\n")):
        how = "required" if required == "true" else "optional" if optional == "true" else "computed"
        if how == "optional" and computed == "true":
            how = "filled"
        nested = _NESTED.search(body)
        if nested is None or nested[1].startswith("cdktf."):
            attributes[name] = _attribute(name, how, _type(body))
            continue
        struct = re.sub(r"(List|Map|OutputReference)$", "", nested[1])
        inside = _block(
            source,
            f"export class {struct}OutputReference extends",
            f"export function {struct[0].lower()}{struct[1:]}ToHclTerraform(",
            "\n}\n",
        )
        said = re.search(rf'^ +{name}: \{{\n.*\n +isBlock: true,\n +type: "(\w+)"', written, re.M)
        collection = "set" if nested[2] == "true" else "list"
        if said is None or computed == "true":
            attributes[name] = _attribute(name, how, [collection, _object(inside)])
            continue
        nesting = {"struct": "single"}.get(said[1], said[1])
        most = 0 if nested[1].endswith(("List", "Map")) or nesting == "single" else 1
        blocks[name] = {"nesting": nesting, "min": int(how == "required"), "max": most, **inside}
    return {"attributes": attributes, "blocks": blocks}


def _attribute(name: str, how: str, cty: Any) -> list[Any]:
    how = "write-only" if name.endswith("_wo") else how
    return [how, cty, *(["sensitive"] if name in _SECRET else [])]


def _type(body: str) -> Any:
    """The type of an attribute, in the notation of the plugin protocol."""
    got = re.search(r"this\.get(\w+?)Attribute\(", body)
    if got is not None and got[1] in _PLAIN:
        return _PLAIN[got[1]]
    if got is not None and got[1] in {"List", "NumberList"}:
        collection = "set" if "Fn.tolist" in body else "list"
        return [collection, "number" if got[1] == "NumberList" else "string"]
    if (mapped := re.search(r"cdktf\.(\w+Map)\(", body)) is not None and mapped[1] in _MAPS:
        return ["map", _MAPS[mapped[1]]]
    if "?: number[][]" in body:
        return ["list", ["list", "number"]]
    raise LookupError(f"the package holds an attribute of a type that is not known here:\n{body}")


def _object(block: dict[str, Any]) -> list[Any]:
    inside = {name: attribute[1] for name, attribute in block["attributes"].items()}
    for name, one in block["blocks"].items():
        inside[name] = [one["nesting"], _object(one)]
    return ["object", inside]


def _arguments(source: str, written: str) -> dict[str, Any]:
    """Attributes and blocks of a provider, whose classes say less than those of resources: all are optional."""
    attributes: dict[str, Any] = {}
    blocks: dict[str, Any] = {}
    entry = r'^ +(\w+): \{\n +value: (.*),\n +isBlock: (\w+),\n +type: "(\w+)",\n +storageClassType: "(\w+)"'
    for name, value, block, kind, stored in re.findall(entry, written, re.M):
        if block == "true":
            function = re.search(r"(\w+ToHclTerraform)\b", value.replace("cdktf.", ""))
            inside = _between(source, f"export function {function[1] if function else ''}(", "\n}\n")
            blocks[name] = {"nesting": kind, "min": 0, "max": 1, **_arguments(source, inside)}
        else:
            element = _STORED[re.sub(r"(List|Map)$", "", stored)]
            attributes[name] = ["optional", element if kind == "simple" else [kind, element]]
    return {"attributes": attributes, "blocks": blocks}
