"""What a second apply does, what a new release changes, what is refused beforehand."""

import re
import shutil
import zipfile

import pytest

from infra.terraform.command import TerraformError


def test_a_second_apply_changes_nothing(deployed):
    assert {} == deployed.workspace.changes(deployed.variables)


def test_a_new_release_moves_the_functions_alone(deployed, source_zip, tmp_path):
    """Documents, queues, identities and secrets stay as they are."""
    other = tmp_path / "other.zip"
    shutil.copy(source_zip, other)
    with zipfile.ZipFile(other, "a") as file:
        file.writestr("shared/new.py", "NEW = 1\n")

    changes = deployed.workspace.changes(deployed.variables | {"source_zip": str(other)})

    assert {"google_cloudfunctions2_function", "google_storage_bucket_object"} == {
        part for address in changes for part in address.split(".") if part.startswith("google_")
    }
    assert {("update",)} == {tuple(actions) for address, actions in changes.items() if "functions2" in address}


REFUSED = {
    "region": ("europe-west1-b", "not a zone"),
    "source_zip": ("/nowhere.zip", "make package"),
    "name": ("a-very-long-name", "3 to 11"),
    "settings": (
        {"SLUICE_TOKEN": "x", "SLUICE_TRUST_CALLERS": "true", "MAX_LANES": "4"},
        "Secret Manager",
        "for laptops",
        "shared/settings.py",
    ),
    "sizes": ({"sync-chunk": {"memory": "2Gi"}}, "infra/functions.json"),
    "queue_pool": (0, "1 to 50"),
    "sns_topics": (["sluice"], "arn:aws:sns"),
    "runtime": ("python310", "python311"),
    "hostname": ("label.example.org", "https://"),
    "alert_emails": (["ann"], "e-mail"),
}


def test_what_can_not_work_is_refused_by_name(workspace, variables):
    """All of it at once, before anything is made."""
    with pytest.raises(TerraformError) as refused:
        workspace.plan(variables | {name: value for name, (value, *_) in REFUSED.items()})

    text = " ".join(re.sub("[│╷╵]", " ", str(refused.value)).split())
    for name, (_, *said) in REFUSED.items():
        assert f'variable "{name}"' in text
        assert [one for one in said if one not in text] == []


def test_two_deployments_share_a_project(workspace, variables):
    """Another name is another of everything."""
    made = workspace.plan(variables | {"name": "trial"})

    names = [
        one["change"]["after"][field]
        for one in made["resource_changes"]
        for field in ("name", "account_id", "secret_id", "repository_id")
        if one["change"]["actions"] == ["create"] and isinstance(one["change"]["after"].get(field), str)
    ]
    assert names
    assert [name for name in names if "sluice" in name] == []
