"""The deployment, applied by Terraform with stand-ins for the providers: its state says all that would be made."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from infra.package import build
from infra.terraform import command
from infra.terraform.workspace import TREE, Workspace
from tests.emulators import require

PROJECT, REGION = "my-project", "europe-west1"


class Made(NamedTuple):
    """One resource."""

    type: str
    module: str
    key: str | int | None
    attributes: dict[str, Any]

    def __getitem__(self, name: Any) -> Any:
        return self.attributes[name]


class Deployed:
    """What an apply made, and the workspace in which more can be done to it."""

    def __init__(self, workspace: Workspace, variables: dict[str, Any]) -> None:
        self.workspace, self.variables = workspace, variables
        self.outputs = workspace.apply(variables)
        self.state = workspace.state
        self.all = [
            Made(one["type"], one.get("module", ""), instance.get("index_key"), instance["attributes"])
            for one in json.loads(self.state)["resources"]
            for instance in one["instances"]
            if one["mode"] == "managed"
        ]

    def of(self, *types: str) -> list[Made]:
        """All resources of these types."""
        return [one for one in self.all if one.type in types]

    @property
    def functions(self) -> dict[str, Made]:
        """The functions, by target."""
        return {one["build_config"][0]["entry_point"]: one for one in self.of("google_cloudfunctions2_function")}

    def env(self, target: str) -> dict[str, str]:
        """The environment of a function, with stand-ins for the values of its secrets."""
        config = self.functions[target]["service_config"][0]
        secrets = {one["key"]: f"value of {one['secret']}" for one in config["secret_environment_variables"]}
        return config["environment_variables"] | secrets


@pytest.fixture(scope="session")
def source_zip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="session")
def variables(source_zip: Path) -> dict[str, Any]:
    return {
        "project": PROJECT,
        "region": REGION,
        "source_zip": str(source_zip),
        "read_buckets": ["photos"],
        "write_buckets": ["labels"],
        "notify_buckets": ["photos"],
        "alert_emails": ["ann@example.org"],
        "sns_topics": ["arn:aws:sns:eu-west-1:123456789012:sluice"],
        "aws_web_identity_role_arn": "arn:aws:iam::123456789012:role/sluice",
        "azure_google_identity": True,
        "queue_pool": 2,
    }


@pytest.fixture(scope="session")
def workspace() -> Iterator[Workspace]:
    require(command.find())
    with Workspace.of(TREE) as one:
        yield one


@pytest.fixture(scope="session")
def deployed(workspace: Workspace, variables: dict[str, Any]) -> Deployed:
    return Deployed(workspace, variables)
