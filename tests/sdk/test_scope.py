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


def test_what_is_refused_is_not_there(sdk: Sdk):
    """Each method is called for the first project, which exists: it is the path that is not there."""
    sdk.projects.create(title="The first")
    there = sdk.methods()
    refused = [f"{resource}.{name}" for resource in REFUSED_RESOURCES for name in there[resource]]
    answers = {method: _answer(sdk, method) for method in [*refused, *REFUSED]}
    assert {method: answer for method, answer in answers.items() if answer not in NOT_THERE} == {}
    assert len(answers) > 200


def _answer(sdk: Sdk, method: str) -> tuple[int | None, bool] | str:
    """The status, and whether the body is JSON that says something."""
    try:
        sdk.somehow(method)
    except SdkError as error:
        if error.status is None:
            return f"{error.name}: {error}"
        return error.status, bool(isinstance(error.body, dict) and error.body.get("detail"))
    return f"worked: {sdk.sent}"
