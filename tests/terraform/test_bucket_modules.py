"""The Terraform modules for buckets: what they make, what they refuse, and that what they refuse tells no secret."""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from infra.emulators import Missing
from infra.terraform import command
from infra.terraform.command import TerraformError
from infra.terraform.workspace import ROOT, TREE, Workspace
from tests.emulators import require

ACCOUNT = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Storage/storageAccounts/images"
URL = "https://bucket-webhook.example"
SECRET, SHORT = "canary-0123456789", "canary-short"
DEAD = {"storage_account_id": ACCOUNT, "container": "dead"}
ENTRA = {"tenant_id": "t", "application": "api://sluice"}
GOOD: dict[str, dict[str, Any]] = {
    "bucket-notification-gcs": {"bucket": "photos", "topic": "projects/p/topics/t"},
    "bucket-notification-s3": {"bucket": "photos", "url": URL},
    "bucket-notification-azure": {"storage_account_id": ACCOUNT, "container": "photos", "url": URL, "secret": SECRET},
    "bucket-access-gcs": {"bucket": "photos", "readers": {"api": "serviceAccount:api@p"}},
    "bucket-access-s3": {"service_accounts": {"api": "1"}, "read_buckets": [{"bucket": "photos"}]},
    "bucket-access-azure": {"service_accounts": {"api": "1"}, "storage_accounts": {"images": ACCOUNT}},
}
ACCEPTED: list[tuple[str, dict[str, Any]]] = [
    ("bucket-notification-s3", {"via": "eventbridge", "secret": SECRET}),
    ("bucket-notification-s3", {"manage_bucket_notification": False}),
    ("bucket-notification-s3", {"bucket": "b" * 60, "name": "short"}),
    ("bucket-notification-azure", {"secret": "", "entra": ENTRA, "dead_letters": DEAD}),
    ("bucket-notification-azure", {"container": "$web", "name": "sluice-web"}),
    ("bucket-access-gcs", {"readers": {}}),
]
REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("bucket-notification-gcs", {"bucket": "gs://photos"}, "name alone"),
    ("bucket-notification-gcs", {"topic": "t"}, "projects/<project>/topics/<topic>"),
    ("bucket-notification-gcs", {"prefix": "/x"}, "not with a slash"),
    ("bucket-notification-gcs", {"prefix": "x*"}, "leave the * away"),
    ("bucket-notification-s3", {"via": "sqs"}, "sns or eventbridge"),
    ("bucket-notification-s3", {"via": "eventbridge"}, "needs a secret"),
    ("bucket-notification-s3", {"via": "eventbridge", "secret": SHORT}, "16 characters"),
    ("bucket-notification-s3", {"url": "http://hook.example"}, "begins with https://"),
    ("bucket-notification-s3", {"bucket": "b" * 60}, "give a name"),
    ("bucket-notification-s3", {"kms_key_id": "alias/aws/sns"}, "a key of your own"),
    ("bucket-notification-s3", {"bucket_account_id": "12"}, "twelve digits"),
    ("bucket-notification-azure", {"secret": ""}, "either secret or entra"),
    ("bucket-notification-azure", {"entra": ENTRA}, "either secret or entra"),
    ("bucket-notification-azure", {"secret": SHORT}, "16 characters"),
    ("bucket-notification-azure", {"url": f"{URL}?x=1"}, "has no query"),
    ("bucket-notification-azure", {"dead_letters": {**DEAD, "container": "photos"}}, "would be news"),
    ("bucket-notification-azure", {"storage_account_id": "images"}, "must read /subscriptions/"),
    ("bucket-notification-azure", {"container": "$web"}, "give one"),
    ("bucket-access-gcs", {"readers": {"all": "allUsers"}}, "nobody wider"),
    ("bucket-access-gcs", {"writers": {"all": "allAuthenticatedUsers"}}, "nobody wider"),
    ("bucket-access-gcs", {"prefix": 'x")||true'}, "no quote"),
    ("bucket-access-s3", {"service_accounts": {}}, "one at least"),
    ("bucket-access-s3", {"service_accounts": {"api": "api@p"}}, "numeric unique ids"),
    ("bucket-access-s3", {"service_accounts": {"api": "*"}}, "numeric unique ids"),
    ("bucket-access-s3", {"audience": "*"}, "audience is not empty"),
    ("bucket-access-s3", {"read_buckets": []}, "at least"),
    ("bucket-access-s3", {"read_buckets": [{"bucket": "photos", "prefixes": ["*"]}]}, "no *, ? or $"),
    ("bucket-access-s3", {"write_buckets": [{"bucket": "photos", "prefixes": ["/x"]}]}, "begin with no slash"),
    ("bucket-access-s3", {"assumable_role_arns": ["arn:aws:iam::123456789012:role/*"]}, "single roles"),
    ("bucket-access-azure", {"service_accounts": {"api": "api@p"}}, "numeric unique ids"),
    ("bucket-access-azure", {"service_accounts": {f"a{n:02}": "1" for n in range(21)}}, "twenty at most"),
    ("bucket-access-azure", {"read_containers": [{"account": "other", "container": "c"}]}, "name in storage_accounts"),
]
Resources = dict[str, dict[str, Any]]
Plan = Callable[..., Resources]


@pytest.fixture(scope="module")
def planned() -> Iterator[Plan]:
    """Plans a module with `GOOD` variables, some of them changed: the resources by address."""
    require(command.find())
    with ExitStack() as stack:
        workspaces: dict[str, Workspace] = {}

        def plan(module: str, **changed: Any) -> Resources:
            if module not in workspaces:
                workspaces[module] = stack.enter_context(Workspace.of(TREE / "modules" / module))
            return resources(workspaces[module].plan(GOOD[module] | changed))

        yield plan


def resources(plan: dict[str, Any]) -> Resources:
    """What is known of each resource before it is made: of some nothing."""
    found = plan["planned_values"]["root_module"].get("resources", [])
    return {one["address"]: one.get("values", {}) for one in found}


@pytest.mark.parametrize(("module", "changed"), [*((module, {}) for module in GOOD), *ACCEPTED])
def test_what_is_right_is_planned(planned: Plan, module: str, changed: dict[str, Any]):
    found = planned(module, **changed)

    assert bool(found) == (changed != {"readers": {}})


@pytest.mark.parametrize(("module", "changed", "reason"), REFUSED)
def test_what_is_wrong_is_refused_by_name(planned: Plan, module: str, changed: dict[str, Any], reason: str):
    with pytest.raises(TerraformError) as refused:
        planned(module, **changed)

    said = re.sub(r"[\s│╷╵]+", " ", str(refused.value))
    assert reason in said
    assert "canary" not in said


def test_a_bucket_of_google_tells_of_its_prefix(planned: Plan):
    for prefix, filtered in (("2024/", "2024/"), ("", None)):
        [found] = planned("bucket-notification-gcs", prefix=prefix).values()

        assert (found["bucket"], found["object_name_prefix"]) == ("photos", filtered)


def test_access_to_a_part_of_a_bucket_is_one_to_read_and_list_it(planned: Plan):
    [whole] = planned("bucket-access-gcs").values()
    [part] = planned("bucket-access-gcs", prefix="2024/").values()

    assert not whole["condition"]
    [condition] = part["condition"]
    assert condition["expression"] == (
        'resource.name.startsWith("projects/_/buckets/photos/objects/2024/") || '
        'api.getAttribute("storage.googleapis.com/objectListPrefix", "").startsWith("2024/")'
    )


def test_a_bucket_of_s3_tells_sns_or_eventbridge(planned: Plan):
    by_sns = planned("bucket-notification-s3", prefix="2024/")
    by_events = planned("bucket-notification-s3", prefix="2024/", via="eventbridge", secret=SECRET)

    [topic] = by_sns["aws_s3_bucket_notification.this[0]"]["topic"]
    pattern = json.loads(by_events["aws_cloudwatch_event_rule.this[0]"]["event_pattern"])
    assert topic["filter_prefix"] == "2024/"
    assert pattern["detail"] == {"bucket": {"name": ["photos"]}, "object": {"key": [{"prefix": "2024/"}]}}
    assert by_events["aws_s3_bucket_notification.this[0]"]["eventbridge"] is True
    assert {address for address in by_sns if "event" in address} == set()
    assert {address for address in by_events if "sns" in address} == set()


def test_sns_gives_up_before_the_server_calls_its_messages_too_old(planned: Plan):
    """SNS refuses policies that take longer than an hour, too."""
    found = planned("bucket-notification-s3")["aws_sns_topic_subscription.this[0]"]

    policy = json.loads(found["delivery_policy"])["healthyRetryPolicy"]

    phases = [policy[f"num{phase}Retries"] for phase in ("NoDelay", "MinDelay", "MaxDelay")]
    between = policy["numRetries"] - sum(phases)
    assert between > 0
    longest = phases[1] * policy["minDelayTarget"] + (phases[2] + between) * policy["maxDelayTarget"]
    assert 1800 < longest < 3600


def test_azure_is_proved_by_a_secret_or_by_tokens(planned: Plan):
    [by_secret] = planned("bucket-notification-azure", secret="canary 0123456789&").values()
    [by_token] = planned("bucket-notification-azure", secret="", entra=ENTRA).values()

    [told], [proved] = by_secret["webhook_endpoint"], by_token["webhook_endpoint"]
    assert (by_secret["event_delivery_schema"], told["url"]) == (
        "EventGridSchema",
        f"{URL}?secret=canary+0123456789%26",
    )
    assert (by_token["event_delivery_schema"], proved["url"]) == ("CloudEventSchemaV1_0", URL)
    assert (proved["active_directory_tenant_id"], proved["active_directory_app_id_or_uri"]) == ("t", "api://sluice")


def test_only_google_service_accounts_sign_in_to_azure(planned: Plan):
    containers = {"read_containers": [{"account": "images", "container": "photos"}], "sign_urls": False}
    found = planned("bucket-access-azure", service_accounts={"api": "11", "sync_chunk": "12"}, **containers)

    trusted = [one for address, one in found.items() if "federated" in address]
    assert [(one["issuer"], one["subject"], one["audiences"]) for one in trusted] == [
        ("https://accounts.google.com", number, ["api://AzureADTokenExchange"]) for number in ("11", "12")
    ]
    assert [(one["role_definition_name"], one["scope"]) for address, one in found.items() if "role" in address] == [
        ("Storage Blob Data Reader", f"{ACCOUNT}/blobServices/default/containers/photos")
    ]


# ---- policies of AWS, as its own provider writes them

PROVIDER = """
provider "aws" {
  region                      = "eu-west-1"
  access_key                  = "none"
  secret_key                  = "none"
  skip_credentials_validation = true
  skip_requesting_account_id  = true
  skip_metadata_api_check     = true
}
"""


def documented(**names: str) -> dict[str, dict[str, Any]]:
    """The statements of docs/permissions.md by their ids, with names in place of the capitals."""
    text = (ROOT / "docs" / "permissions.md").read_text()
    for capitals, name in names.items():
        text = re.sub(rf"\b{capitals}\b", name, text)
    found: dict[str, dict[str, Any]] = {}
    for block in re.findall(r"^```json\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        parsed = json.loads(block)
        for one in parsed if isinstance(parsed, list) else parsed.get("Statement", [parsed]):
            found[one["Sid"]] = one
    return found


def plain(value: Any) -> Any:
    """With lists of one as what is in them, which is the same to AWS."""
    if isinstance(value, dict):
        return {name: plain(one) for name, one in value.items()}
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def test_the_role_s_policies_are_the_documented_ones(tmp_path: Path):
    require(command.find())
    aws = command.plugins("aws")
    if aws is None:
        require(
            Missing("aws", "Terraform's provider hashicorp/aws is not on this machine.", "terraform providers mirror")
        )
        return
    for path in (TREE / "modules" / "bucket-access-s3").glob("*.tf"):
        (tmp_path / path.name).write_text(path.read_text())
    (tmp_path / "provider.tf").write_text(PROVIDER)
    given = {
        "service_accounts": {"api": "11"},
        "read_buckets": [{"bucket": "parts", "prefixes": ["2024/"]}],
        "write_buckets": [{"bucket": "whole", "can_delete": True}],
        "write_kms_key_arns": ["arn:aws:kms:eu-west-1:123456789012:key/one"],
        "assumable_role_arns": ["arn:aws:iam::123456789012:role/other"],
    }
    (tmp_path / "given.auto.tfvars.json").write_text(json.dumps(given))
    for arguments in (["init", "-backend=false", f"-plugin-dir={aws.folder}"], ["plan", "-out=planned"]):
        command.run(tmp_path, *arguments).check()

    found = resources(json.loads(command.run(tmp_path, "show", "-json", "planned").check()))

    names = {"BUCKET": "whole", "KEY_ARN": given["write_kms_key_arns"][0], "UNIQUE_ID": "11"}
    said = documented(**names, ACCOUNT="123456789012", ROLE="other")
    said["ListPrefixes0"] = documented(BUCKET="parts")["ListPrefixes"] | {"Sid": "ListPrefixes0"}
    said["ReadObjects"]["Resource"] = ["arn:aws:s3:::parts/2024/*", "arn:aws:s3:::whole/*"]
    trust = json.loads(found["aws_iam_role.this"]["assume_role_policy"])
    buckets = json.loads(found["aws_iam_role_policy.this"]["policy"])
    written = {one["Sid"]: one for one in trust["Statement"] + buckets["Statement"]}
    wanted = ["GoogleServiceAccounts", "ListBuckets", "ListPrefixes0", "ReadObjects", "WriteObjects", "DeleteObjects"]
    assert list(written) == [*wanted, "Decrypt", "Encrypt", "AssumeRoles"]
    for sid, one in written.items():
        if isinstance(one.get("Resource"), list):
            one["Resource"].sort()
        assert plain(one) == plain(said[sid])
