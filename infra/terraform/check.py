"""What is wrong in a tree of Terraform's files: its form, and what Terraform says of every folder.

Every folder that holds .tf files is checked as a root of its own, a module too, with the stand-in providers. One that
needs nothing but hashicorp/aws is also checked with that provider itself, where the machine has it.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from infra.terraform import command, provider, schemas
from infra.terraform.versions import allows
from infra.terraform.workspace import copied

_UNKNOWN_TYPE = re.compile(
    r'The provider hashicorp/(\w+) does not support (resource type|data source|ephemeral resource) "(\w+)"'
)
_PREFIXES = {"resource type": "", "data source": "data.", "ephemeral resource": "ephemeral."}
_UNKNOWN_PROVIDER = re.compile(r"Could not retrieve the list of available versions for provider ([\w/]+)")
_OTHER_VERSION = "no available releases match the given constraints"


@dataclass(frozen=True)
class Checked:
    """One thing that was checked. `wrong` is empty if it is right, `skipped` says why it could not be checked."""

    what: str
    wrong: str = ""
    skipped: str = ""


def check(tree: Path) -> Iterator[Checked]:
    """Checks all of a tree. Nothing is written into it."""
    folders = sorted({path.parent.relative_to(tree) for path in tree.rglob("*.tf") if ".terraform" not in path.parts})
    if not folders:
        yield Checked(tree.name, wrong=f"There are no .tf files below {tree.name}.")
        return
    form = command.run(tree, "fmt", "-check", "-recursive", "-diff")
    yield Checked(f"{tree.name}: form", wrong=_form(form))
    aws = command.plugins("aws")
    with copied(tree) as copy, provider.standing_in() as env:
        for folder in folders:
            what = str(tree.name / folder)
            wrong = _wrong(copy / folder, env=env)
            needed = _providers(copy / folder, env)
            yield Checked(what, wrong=wrong or _other_versions(needed))
            if set(needed) == {"hashicorp/aws"}:
                yield _with_aws(what, copy / folder, aws)


def _form(done: command.Done) -> str:
    said = done.output + done.errors
    return f"{said}\n`terraform fmt -recursive` puts it right." if done.code else ""


def _wrong(folder: Path, *options: str, env: dict[str, str] | None = None) -> str:
    """What Terraform says against a folder, with what to do where Terraform can't know that."""
    done = command.run(folder, "init", "-backend=false", *options, env=env)
    if done.code == 0:
        done = command.run(folder, "validate", env=env)
    return "" if done.code == 0 else _explained(done.output + done.errors)


def _explained(said: str) -> str:
    one_line = " ".join(said.split())  # Terraform breaks its lines anywhere
    hints = [
        f"{_PREFIXES[kind]}{name} is not in infra/terraform/schemas/{owner}.json. If the provider has it: "
        f"python -m infra.terraform.extract {_PREFIXES[kind]}{name}"
        for owner, kind, name in _UNKNOWN_TYPE.findall(one_line)
    ]
    hints += [
        f"Nothing stands in for {name}; infra/terraform/schemas has {', '.join(schemas.names())}. "
        "infra/terraform/extract.py says where schemas come from."
        for name in _UNKNOWN_PROVIDER.findall(one_line)
    ]
    return "\n\n".join([said.strip(), *hints])


def _providers(folder: Path, env: dict[str, str]) -> dict[str, set[str]]:
    """The providers that a folder and its modules need, each with all that is said of its version."""
    said = command.run(folder, "providers", env=env).output
    found: dict[str, set[str]] = {}
    for name, constraints in re.findall(r"provider\[registry\.terraform\.io/([\w/-]+)\](.*)", said):
        found.setdefault(name, set()).add(constraints.strip())
    return found


def _other_versions(needed: dict[str, set[str]]) -> str:
    """What is wrong where a folder wants another version of a provider than the stand-in's schemas are of."""
    known = {f"hashicorp/{name}": schemas.load(name).version for name in schemas.names()}
    return "\n".join(
        f"It needs {name} {constraints}, but infra/terraform/schemas has {known[name]}: change what "
        "infra/terraform/extract.py makes the schemas from, and run it."
        for name, all_constraints in sorted(needed.items())
        for constraints in sorted(all_constraints)
        if name in known and not allows(constraints, known[name])
    )


def _with_aws(what: str, folder: Path, aws: command.Plugins | None) -> Checked:
    what = f"{what} with hashicorp/aws itself"
    if aws is None:
        return Checked(what, skipped="the provider is not on this machine")
    (folder / ".terraform.lock.hcl").unlink(missing_ok=True)  # it may name another version
    wrong = _wrong(folder, f"-plugin-dir={aws.folder}")
    if _OTHER_VERSION in " ".join(wrong.split()):
        return Checked(what, skipped=f"the provider on this machine is {aws.version}, which the folder excludes")
    return Checked(what, wrong=wrong)
