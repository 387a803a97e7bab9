"""What is deployed imports nothing but the standard library, itself, and what its requirements install.

Every import statement counts, also those that run when something is first needed.
"""

import ast
import importlib.metadata
import sys
import zipfile
from collections.abc import Iterator
from pathlib import PurePosixPath

import pytest
from packaging.requirements import Requirement

from infra.package import build

BROUGHT_ALONG = {"botocore": "boto3", "google-api-core": "google-cloud-tasks"}
"""Imported although only a requirement requires it: a client's own layers, which come in its version."""


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Iterator[zipfile.ZipFile]:
    with zipfile.ZipFile(build(tmp_path_factory.mktemp("dist"))) as package:
        yield package


def required(lines: list[str]) -> set[str]:
    return {Requirement(line).name for line in lines if line and not line.startswith("#")}


def module_of(path: PurePosixPath) -> str:
    """The module that a file is; empty if it is none."""
    if path.suffix not in {".py", ".so"} or ".." in path.parts:
        return ""
    name = path.name.partition(".")[0]
    return ".".join(path.parts[:-1] if name == "__init__" else (*path.parts[:-1], name))


def installed(distributions: set[str]) -> set[str]:
    """The modules that they install themselves, without what they require. A namespace is no module."""
    files = (file for name in distributions for file in importlib.metadata.files(name) or ())
    return {module for file in files if (module := module_of(PurePosixPath(file)))}


def imported(source: bytes) -> Iterator[str]:
    """The modules that a module's import statements name; what is imported from one may be one too."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            namespace = node.module in {"google", "google.cloud", "azure", "azure.storage"}
            yield from (f"{node.module}.{alias.name}" for alias in node.names) if namespace else (str(node.module),)


def strangers(package: zipfile.ZipFile, distributions: set[str]) -> set[tuple[str, str]]:
    """Imports of what neither Python nor the zip nor the distributions have: in which file, of what."""
    own = {module_of(PurePosixPath(name)) for name in package.namelist()}
    others = installed(distributions)
    found = set()
    for name in package.namelist():
        for module in imported(package.read(name)) if name.endswith(".py") else ():
            top = module.partition(".")[0]
            # A compiled package (obstore) has parts that are no files of their own.
            if top not in sys.stdlib_module_names and not {module} & own and not {top, module} & others:
                found.add((name, module))
    return found


def test_every_import_is_of_the_zip_or_of_what_its_requirements_install(package: zipfile.ZipFile):
    named = required(package.read("requirements.txt").decode().splitlines())
    for name, requirement in BROUGHT_ALONG.items():
        assert requirement in named
        assert name in required(importlib.metadata.requires(requirement) or [])

    assert strangers(package, named | BROUGHT_ALONG.keys()) == set()


@pytest.mark.parametrize("name", ["redis", "google-cloud-firestore", "google-cloud-tasks", "orjson", *BROUGHT_ALONG])
def test_one_that_is_missing_is_noticed(package: zipfile.ZipFile, name: str):
    named = required(package.read("requirements.txt").decode().splitlines())

    assert strangers(package, (named | BROUGHT_ALONG.keys()) - {name}) != set()
