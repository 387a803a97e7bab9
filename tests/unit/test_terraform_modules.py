"""The Terraform modules for buckets say what the code, the printed commands and the documentation say."""

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from infra.cli import recipes
from shared.adapters.notifications import gcs, s3
from shared.model.notices import amazon, azure, google
from shared.services.storages.probing import GRANTS
from shared.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
MODULES = ROOT / "terraform" / "modules"
FOLDERS = [*sorted(MODULES.glob("bucket-*")), ROOT / "terraform" / "examples" / "three-clouds"]
DOCUMENTED = (ROOT / "docs" / "permissions.md").read_text()
ARN = "arn:aws:sns:eu-west-1:123456789012:events"


def code(folder: Path | str) -> str:
    """All that Terraform reads of a folder, or of a module by its name."""
    return "\n".join(path.read_text() for path in sorted((MODULES / folder).glob("*.tf")))


def strings(text: str, name: str) -> list[str]:
    """The strings of the only list that is called so."""
    [found] = re.findall(rf'^\s*"?{name}"?\s*=\s*\[([^\]]*)\]', text, re.MULTILINE)
    return re.findall(r'"([^"]*)"', found)


def value(text: str, name: str) -> str:
    """The only string that is called so."""
    [found] = re.findall(rf'^\s*{name}\s*=\s*"([^"]*)"', text, re.MULTILINE)
    return str(found)


def wish(bucket: str = "photos", prefix: str = "2024/") -> recipes.Wish:
    return recipes.Wish(
        bucket=bucket, prefix=prefix, url="https://e.example/hook", topic=ARN, account="", published=False
    )


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_all_that_goes_in_and_out_is_described(folder: Path):
    blocks = re.findall(r'^(variable|output) "(\w+)" \{\n(.*?)^\}', code(folder), re.MULTILINE | re.DOTALL)

    silent = [f"{kind} {name}" for kind, name, body in blocks if not re.search(r'^  description\s*= ".+"$', body, re.M)]

    assert {kind for kind, _, _ in blocks} == {"variable", "output"}
    assert silent == []
    assert len(blocks) == len(re.findall(r'^(?:variable|output) "', code(folder), re.MULTILINE))


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_no_secret_is_validated(folder: Path):
    """Terraform prints what a validation refuses, whether the variable is sensitive or not."""
    variables = re.findall(r'^variable "(\w+)" \{\n(.*?)^\}', code(folder), re.MULTILINE | re.DOTALL)

    secret = {name: "validation {" in body for name, body in variables if "sensitive   = true" in body}

    assert secret == {name: False for name, _ in variables if "secret" in name}


def test_no_module_says_where_its_provider_is():
    found = {folder.name: "provider " in code(folder) for folder in FOLDERS}

    assert found == {folder.name: folder.name == "three-clouds" for folder in FOLDERS}


# ---- what buckets tell of


def test_google_tells_of_what_the_commands_say():
    text = code("bucket-notification-gcs")

    events = strings(text, "event_types")

    assert events == recipes.GOOGLE_EVENTS.split(",") == list(gcs.EVENTS)
    assert set(events) <= google.EVENTS
    assert value(text, "payload_format") == "NONE"


def test_s3_tells_sns_of_what_the_commands_say():
    events = strings(code("bucket-notification-s3"), "events")

    assert events == recipes.AMAZON_EVENTS == list(s3.EVENTS)
    assert {event.removeprefix("s3:").removesuffix("*") for event in events} <= set(amazon.CHANGES)


def test_s3_tells_eventbridge_of_what_is_news():
    text = code("bucket-notification-s3")

    details = strings(text, "detail-type")

    assert set(details) == {"Object Created", "Object Deleted"} <= amazon.DETAILS
    assert value(text, "key") == Settings().notice_secret_header


def test_azure_tells_of_what_the_commands_say():
    text = code("bucket-notification-azure")

    events = strings(text, "included_event_types")

    assert events == recipes.AZURE_EVENTS
    assert set(events) <= azure.BLOB_EVENTS | {azure.RENAMED}


def test_azure_filters_as_the_commands_do():
    filtered = value(code("bucket-notification-azure"), "subject_begins_with")

    begins = filtered.replace("${var.container}", "photos").replace("${var.prefix}", "2024/")

    assert f"--subject-begins-with {begins}\n" in recipes.azure(wish())
    assert f'subject_begins_with = "{begins}"\n' in recipes.azure(wish())


# ---- who may do what


def policy_statements(text: str) -> dict[str, list[str]]:
    """Actions by the id of their statement; what Terraform puts behind an id is left out."""
    found = re.findall(r'^\s*sid\s*=\s*"(\w+)(?:\$\{.*\})?"\n\s*actions\s*=\s*\[([^\]]*)\]', text, re.MULTILINE)
    return {sid: re.findall(r'"([^"]*)"', actions) for sid, actions in found}


def conditions(text: str) -> set[str]:
    return set(re.findall(r'^\s*variable\s*=\s*"([^"]*)"', text, re.MULTILINE))


def documented_statements() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for block in re.findall(r"^```json\n(.*?)^```", DOCUMENTED, re.MULTILINE | re.DOTALL):
        parsed = json.loads(block)
        found += parsed if isinstance(parsed, list) else parsed.get("Statement", [parsed])
    return found


def test_each_statement_of_aws_is_documented_as_it_is():
    granted = policy_statements(code("bucket-access-s3")) | policy_statements(code("bucket-notification-s3"))

    documented = [(one["Sid"], [one["Action"]]) for one in documented_statements()]

    assert len(granted) == len(re.findall(r"^\s*actions\s*=", code("bucket-access-s3"), re.M)) + len(
        re.findall(r"^\s*actions\s*=", code("bucket-notification-s3"), re.M)
    )
    assert {sid for sid, _ in documented} == set(granted)
    assert [(sid, actions) for sid, actions in documented if granted[sid] != actions] == []


def test_each_condition_of_aws_is_documented():
    demanded = conditions(code("bucket-access-s3")) | conditions(code("bucket-notification-s3"))

    documented = {
        name for one in documented_statements() for tested in one.get("Condition", {}).values() for name in tested
    }

    assert documented == demanded
    assert {f"accounts.google.com:{name}" for name in ("sub", "aud", "oaud")} < demanded


def test_the_role_allows_what_a_target_is_tried_with():
    granted = {action for actions in policy_statements(code("bucket-access-s3")).values() for action in actions}

    tried = set(re.findall(r"s3:\w+", " ".join(GRANTS.values())))

    assert {action for action in granted if action.startswith("s3:")} == tried


def test_the_printed_policy_of_a_topic_is_the_module_s():
    [command] = [line for line in recipes.amazon(wish()).splitlines() if "set-topic-attributes" in line]
    [printed] = json.loads(shlex.split(command)[-1])["Statement"]

    [documented] = [one for one in documented_statements() if one["Sid"] == "BucketPublishes"]

    assert printed == {
        **{name: value for name, value in documented.items() if name != "Sid"},
        "Resource": ARN,
        "Condition": {
            "ArnEquals": {"aws:SourceArn": "arn:aws:s3:::photos"},
            "StringEquals": {"aws:SourceAccount": "123456789012"},
        },
    }


def test_a_topic_without_an_account_is_of_a_private_cloud():
    private = recipes.Wish(
        bucket="photos",
        prefix="",
        url="https://e.example/x",
        topic="arn:aws:sns:default::t",
        account="",
        published=False,
    )

    assert "aws:SourceAccount" not in recipes.amazon(private)
    assert "aws:SourceArn" in recipes.amazon(private)


@pytest.mark.parametrize("module", ["bucket-access-gcs", "bucket-access-azure"])
def test_each_role_is_documented(module: str):
    roles = re.findall(r'^\s*(?:role|role_definition_name)\s*=\s*"([^"]*)"', code(module), re.MULTILINE)

    missing = [role for role in roles if not re.search(rf'--role[= ]"?{re.escape(role)}"?[\s\\]', DOCUMENTED)]

    assert len(roles) == {"bucket-access-gcs": 2, "bucket-access-azure": 3}[module]
    assert missing == []


@pytest.mark.parametrize("module", sorted(path.name for path in MODULES.glob("bucket-*")))
def test_each_module_is_explained(module: str):
    explained = (MODULES / module / "README.md").read_text()

    assert explained.startswith(f"# {module}\n")
    assert f'source = "../../modules/{module}"' in re.sub(r" +", " ", explained)
    for block in re.findall(r"^```json\n(.*?)^```", explained, re.MULTILINE | re.DOTALL):
        json.loads(block)
