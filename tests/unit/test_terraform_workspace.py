"""Plans and applies with the stand-in providers."""

import json
from pathlib import Path

import pytest

from infra.terraform import command
from infra.terraform.command import TerraformError
from infra.terraform.workspace import Workspace, plan
from tests.emulators import require
from tests.terraform_sample import SAMPLE, write

FUNCTION = "google_cloudfunctions2_function.api"
SECRET = "correct-horse-battery-staple"


@pytest.fixture(autouse=True, scope="module")
def terraform() -> None:
    require(command.find())


def test_a_plan_tells_what_is_known_and_leaves_open_what_the_cloud_decides(tmp_path: Path) -> None:
    folder = write(tmp_path / "sample")

    planned = plan(folder, {"name": "labels"})

    changes = {one["address"]: one["change"] for one in planned["resource_changes"]}
    queue = changes["google_cloud_tasks_queue.runs"]
    assert queue["after"]["name"] == "labels-runs"
    assert queue["after"]["project"] == "sample"
    assert queue["after_unknown"]["id"] is True
    config, unknown = (changes[FUNCTION][key]["service_config"][0] for key in ("after", "after_unknown"))
    assert config["environment_variables"]["LEVEL"] == "INFO"
    assert unknown["environment_variables"] == {"QUEUE": True}
    assert unknown["uri"] is True
    assert not list(folder.glob(".terraform*"))


def test_a_plan_says_what_a_variable_must_be(tmp_path: Path) -> None:
    folder = write(tmp_path / "sample")

    with pytest.raises(TerraformError, match="The name is too long for an account"):
        plan(folder, {"name": "a-name-that-is-far-too-long"})


def test_variables_of_every_type_arrive(tmp_path: Path) -> None:
    text = 'variable "given" {\n  type = any\n}\n\noutput "given" {\n  value = var.given\n}\n'
    given = {"text": "${path.root} %{x}", "number": 1.5, "list": [True, None], "map": {"a": "b"}}

    planned = plan(write(tmp_path / "sample", text), {"given": given})

    assert planned["planned_values"]["outputs"]["given"]["value"] == given


def test_what_is_applied_needs_no_change_until_something_is_changed(tmp_path: Path) -> None:
    with Workspace.of(write(tmp_path / "sample")) as workspace:
        outputs = workspace.apply()
        at_once = workspace.changes()
        renamed = workspace.changes({"name": "other"})
        workspace.destroy()
        left = json.loads(workspace.state)["resources"]

    assert outputs == {
        "queue": "projects/sample/locations/europe-west1/queues/sample-runs",
        "uri": "https://api.stand-in.invalid",
    }
    assert at_once == {}
    assert renamed["google_cloud_tasks_queue.runs"] == ["update"]
    assert "google_secret_manager_secret_version.key" not in renamed
    assert left == []


def test_a_changed_file_is_applied_to_what_is_there(tmp_path: Path) -> None:
    with Workspace.of(write(tmp_path / "sample")) as workspace:
        workspace.apply()
        main = workspace.folder / "main.tf"
        main.write_text(main.read_text().replace("= 50", "= 60"))
        changes = workspace.changes()
        workspace.apply()
        afterwards = workspace.changes()

    assert changes == {"google_cloud_tasks_queue.runs": ["update"]}
    assert afterwards == {}


@pytest.mark.parametrize(("argument", "kept"), [("secret_data_wo", False), ("secret_data", True)])
def test_only_a_write_only_secret_stays_out_of_the_state(tmp_path: Path, argument: str, kept: bool) -> None:
    before = "secret_data_wo         = ephemeral.random_password.key.result"
    assert before in SAMPLE
    text = SAMPLE.replace(before, f'{argument.ljust(22)} = "{SECRET}"')

    with Workspace.of(write(tmp_path / "sample", text)) as workspace:
        workspace.apply()
        state = workspace.state

    version = next(
        one for one in json.loads(state)["resources"] if one["type"] == "google_secret_manager_secret_version"
    )
    assert version["instances"][0]["attributes"]["secret_data_wo"] is None
    assert (SECRET in state) is kept


def test_values_are_read_from_what_only_exists_in_the_cloud(tmp_path: Path) -> None:
    text = 'data "google_project" "this" {}\n\noutput "number" {\n  value = data.google_project.this.number\n}\n'

    with Workspace.of(write(tmp_path / "sample", text)) as workspace:
        outputs = workspace.apply()

    assert outputs == {"number": "123456789012"}


def test_what_terraform_refuses_is_an_error(tmp_path: Path) -> None:
    folder = write(tmp_path / "sample", 'output "secret" {\n  value = google_storage_bucket.none.url\n}\n')

    with pytest.raises(TerraformError, match="has not been declared"), Workspace.of(folder) as workspace:
        workspace.apply()
