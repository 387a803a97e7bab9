"""`python -m infra.terraform check`: what it finds, and what it says of it."""

from pathlib import Path

import pytest

from infra.emulators import Missing
from infra.terraform import __main__ as program
from infra.terraform import command
from infra.terraform.check import check
from tests.emulators import require
from tests.terraform_sample import SAMPLE, write

MODULE = 'variable "name" {\n  type = string\n}\n'
CALL = 'module "one" {\n  source = "./one"\n}\n'
QUEUE = 'on main.tf line 18, in resource "google_cloud_tasks_queue" "runs"'
TOPICS = """\
terraform {
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.0"
    }
  }
}

resource "aws_sns_topic" "changes" {
  name = "changes"
}

resource "aws_sns_topic_subscription" "changes" {
  topic_arn = aws_sns_topic.changes.arn
  protocol  = "https"
  endpoint  = "https://sluice.example"
}
"""


@pytest.fixture(autouse=True, scope="module")
def terraform() -> None:
    require(command.find())


def said(tree: Path) -> str:
    """All that is found, in one line: Terraform breaks its lines where they get long."""
    return " ".join(" ".join(one.wrong for one in check(tree)).split())


def spoilt(old: str, new: str) -> str:
    assert SAMPLE.count(old) == 1
    return SAMPLE.replace(old, new)


def test_a_right_folder_and_its_module_pass(tmp_path: Path) -> None:
    tree = write(tmp_path / "terraform", SAMPLE + CALL.replace('one"\n}', 'one"\n  name   = "x"\n}'), one=MODULE)

    found = list(check(tree))

    assert [(one.what, one.wrong) for one in found] == [
        ("terraform: form", ""),
        ("terraform", ""),
        ("terraform/one", ""),
    ]
    assert not list(tree.rglob(".terraform*"))


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        pytest.param(
            'name     = "${var.name}-runs"',
            'nane     = "${var.name}-runs"',
            'on main.tf line 19, in resource "google_cloud_tasks_queue" "runs": 19: nane = "${var.name}-runs" '
            'An argument named "nane" is not expected here. Did you mean "name"?',
            id="misspelt argument",
        ),
        pytest.param(
            '  name     = "${var.name}-runs"\n',
            "",
            f'{QUEUE}: 18: resource "google_cloud_tasks_queue" "runs" {{ '
            'The argument "name" is required, but no definition was found.',
            id="missing argument",
        ),
        pytest.param(
            "  rate_limits {",
            "  rate_limit {",
            'on main.tf line 21, in resource "google_cloud_tasks_queue" "runs": 21: rate_limit { '
            'Blocks of type "rate_limit" are not expected here.',
            id="unknown block",
        ),
        pytest.param(
            "  replication {\n    auto {}\n  }\n",
            "",
            'in resource "google_secret_manager_secret" "key": 26: resource "google_secret_manager_secret" "key" { '
            'At least 1 "replication" blocks are required.',
            id="missing block",
        ),
        pytest.param(
            "max_dispatches_per_second = 50",
            'max_dispatches_per_second = "fast"',
            'Inappropriate value for attribute "max_dispatches_per_second": a number is required.',
            id="wrong type",
        ),
        pytest.param(
            "service_account_email = google_service_account.api.email",
            "service_account_email = google_service_account.app.email",
            'A managed resource "google_service_account" "app" has not been declared in the root module.',
            id="undeclared reference",
        ),
        pytest.param(
            "service_account_email = google_service_account.api.email",
            "service_account_email = google_service_account.api.mail",
            'This object has no argument, nested block, or exported attribute named "mail". Did you mean "email"?',
            id="unknown attribute",
        ),
        pytest.param(
            '"${var.name}-runs"',
            "google_cloudfunctions2_function.api.name",
            "Error: Cycle: google_cloud",
            id="cycle",
        ),
        pytest.param(
            'default = "sample"',
            "default = ephemeral.random_password.key.result",
            "Variables may not be used here.",
            id="no constant",
        ),
    ],
)
def test_terraform_says_what_is_wrong_and_where(tmp_path: Path, old: str, new: str, expected: str) -> None:
    tree = write(tmp_path / "terraform", spoilt(old, new))

    found = said(tree)

    assert expected in found


def test_a_secret_that_is_no_longer_known_after_a_run_goes_into_no_kept_argument(tmp_path: Path) -> None:
    tree = write(tmp_path / "terraform", spoilt("secret_data_wo         =", "secret_data            ="))

    found = said(tree)

    assert 'Ephemeral values are not valid for "secret_data", because it is not a write-only attribute' in found


def test_a_module_without_what_it_needs_is_found(tmp_path: Path) -> None:
    tree = write(tmp_path / "terraform", SAMPLE + CALL, one=MODULE)

    found = said(tree)

    assert 'in module "one"' in found
    assert 'The argument "name" is required, but no definition was found.' in found


@pytest.mark.parametrize(
    ("kind", "name", "extracted"),
    [
        ("resource", "google_redis_instance", "google_redis_instance"),
        ("data", "google_redis_instance", "data.google_redis_instance"),
        ("ephemeral", "random_shuffle", "ephemeral.random_shuffle"),
    ],
)
def test_a_type_without_schema_comes_with_what_makes_one(tmp_path: Path, kind: str, name: str, extracted: str) -> None:
    tree = write(tmp_path / "terraform", f'{SAMPLE}\n{kind} "{name}" "one" {{}}\n')

    found = said(tree)

    assert f"python -m infra.terraform.extract {extracted}" in found
    assert f"infra/terraform/schemas/{name.partition('_')[0]}.json" in found


def test_a_folder_for_another_version_than_the_schemas_is_found(tmp_path: Path) -> None:
    tree = write(tmp_path / "terraform")
    versions = tree / "versions.tf"
    versions.write_text(versions.read_text().replace("~> 6.50", "~> 7.0"))

    found = said(tree)

    assert "It needs hashicorp/google ~> 7.0, but infra/terraform/schemas has 6.50.0" in found


def test_a_file_of_another_form_is_found_and_left_alone(tmp_path: Path) -> None:
    text = spoilt("account_id = var.name", "account_id =    var.name")
    tree = write(tmp_path / "terraform", text)

    found = said(tree)

    assert "main.tf" in found
    assert "`terraform fmt -recursive` puts it right." in found
    assert (tree / "main.tf").read_text() == text


def test_a_tree_without_files_is_wrong(tmp_path: Path) -> None:
    assert said(tmp_path) == f"There are no .tf files below {tmp_path.name}."


def test_what_only_the_provider_of_aws_knows_is_found_where_it_is_at_hand(tmp_path: Path) -> None:
    remedy = "Fetch it with `terraform providers mirror ~/.terraform.d/plugins`."
    require(command.plugins("aws") or Missing("aws", "The provider hashicorp/aws is not installed.", remedy))
    right, wrong = tmp_path / "right", tmp_path / "wrong"
    for folder, protocol in ((right, "https"), (wrong, "htttps")):
        folder.mkdir()
        (folder / "main.tf").write_text(TOPICS.replace('"https"', f'"{protocol}"'))

    found = {one.what: one.wrong for tree in (right, wrong) for one in check(tree)}

    assert found["right with hashicorp/aws itself"] == found["wrong"] == ""
    assert "expected protocol to be one of" in found["wrong with hashicorp/aws itself"]


def test_the_program_fails_for_a_finding_and_names_the_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tree = write(tmp_path / "terraform", spoilt("account_id = var.name", "account = var.name"))

    code = program.main(["check", str(tree)])

    assert code == 1
    assert "WRONG   terraform\n" in capsys.readouterr().out


@pytest.mark.parametrize(("ci", "expected"), [("", 0), ("true", 1)])
def test_without_terraform_only_ci_fails(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], ci: str, expected: int
) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("CI", ci)

    code = program.main(["check"])

    assert code == expected
    assert "terraform is not installed. Install Terraform 1.11 or later." in capsys.readouterr().out
