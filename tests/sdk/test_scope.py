"""All that the SDK can call is either covered by a test or answered 404, for a reason that is written down."""

import pytest

from tests.sdk.client import Sdk, SdkError
from tests.sdk.scope import COVERED, REFUSED, REFUSED_RESOURCES

pytestmark = pytest.mark.parametrize("platform", ["embedded"], indirect=True)
VERSION = "2.1.2"
NOT_THERE = [(404, True), (405, True)]
"""405 where the path could be that of something else, such as `projects/roles` of a project."""


def test_the_sdk_is_the_one_that_is_named(sdk: Sdk):
    assert sdk.version() == VERSION


def test_every_resource_of_the_sdk_is_covered_or_refused(sdk: Sdk):
    there = sdk.methods()
    assert there.keys() == COVERED | REFUSED_RESOURCES.keys()
    assert not COVERED & REFUSED_RESOURCES.keys()
    assert not [name for name in REFUSED if name.rpartition(".")[2] not in there[name.rpartition(".")[0]]]


@pytest.fixture
def project(sdk: Sdk) -> int:
    """The first one: what the calls below name exists, so that it is the path that is not there."""
    return int(sdk.projects.create(title="The first")["id"])


@pytest.mark.parametrize("resource", sorted(REFUSED_RESOURCES))
def test_what_is_not_there_is_404(sdk: Sdk, project: int, resource: str):
    answers = {method: _answer(sdk, f"{resource}.{method}") for method in sdk.methods()[resource]}
    assert answers
    assert {method: answer for method, answer in answers.items() if answer not in NOT_THERE} == {}


@pytest.mark.parametrize("method", sorted(REFUSED))
def test_a_method_that_is_not_there_is_404(sdk: Sdk, project: int, method: str):
    assert _answer(sdk, method) in NOT_THERE


def _answer(sdk: Sdk, method: str) -> tuple[int | None, bool] | str:
    """The status, and whether the body is JSON that says something."""
    try:
        sdk.somehow(method)
    except SdkError as error:
        if error.status is None:
            return f"{error.name}: {error}"
        return error.status, bool(isinstance(error.body, dict) and error.body.get("detail"))
    return f"worked: {sdk.sent}"
