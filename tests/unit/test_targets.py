"""Names of exported objects: which templates are taken, and that two objects never share a name."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import InvalidInputError
from shared.model.providers import REDIS, S3
from shared.model.storage import Storage, check_together, clean
from shared.model.targets import MAX_TEMPLATE, object_name, template_problem

NOON = 1_709_208_000.0
"""2024-02-29 12:00 UTC."""


def named(template: str | None, format: Any = "annotation", **about: Any) -> str:  # noqa: A002
    return object_name(template, format, **{"project": 3, "task": 20, "annotation": 7, "created_at": NOON, **about})


@pytest.mark.parametrize(
    ("template", "format", "name"),
    [
        (None, "annotation", "7"),
        ("", "annotation", "7"),
        (None, "task", "20.json"),
        ("{project}/{task}/{annotation}.json", "annotation", "3/20/7.json"),
        ("{year}/{month}/{day}/{annotation}", "annotation", "2024/02/29/7"),
        ("labels of {task}", "task", "labels of 20"),
    ],
)
def test_names(template, format, name):  # noqa: A002
    assert named(template, format) == name
    assert not template or not template_problem(template, format)


def test_the_day_is_that_of_utc():
    assert named("{year}-{month}-{day}/{annotation}", created_at=NOON + 43_199) == "2024-02-29/7"
    assert named("{year}-{month}-{day}/{annotation}", created_at=NOON + 43_200) == "2024-03-01/7"


@pytest.mark.parametrize(
    ("template", "format", "said"),
    [
        ("{task}.json", "annotation", "Must contain {annotation}"),
        ("all.json", "task", "Must contain {task}"),
        ("{annotation}", "task", "{annotation} is no placeholder"),
        ("{user}/{annotation}", "annotation", "{user} is no placeholder"),
        ("{annotation:05}", "annotation", "{annotation:05} is no placeholder"),
        ("{annotation.__class__}", "annotation", "is no placeholder"),
        ("{}{annotation}", "annotation", "{} is no placeholder"),
        ("{{annotation}}", "annotation", "without its other half"),
        ("{annotation", "annotation", "without its other half"),
        ("{task}{annotation}", "annotation", "no digit between"),
        ("{annotation}{day}", "annotation", "no digit between"),
        ("1{annotation}", "annotation", "no digit between"),
        ("{annotation}2", "annotation", "no digit between"),
        ("../{annotation}", "annotation", '".."'),
        ("a/./{annotation}", "annotation", '".."'),
        ("/{annotation}", "annotation", "No slash at the ends"),
        ("{annotation}/", "annotation", "No slash at the ends"),
        ("a//{annotation}", "annotation", "No slash at the ends"),
        (".sluice/{annotation}", "annotation", "own files"),
        ("{annotation}\n", "annotation", "Control characters"),
        ("x" * MAX_TEMPLATE + "{annotation}", "annotation", f"{MAX_TEMPLATE} characters"),
    ],
)
def test_bad_templates(template, format, said):  # noqa: A002
    assert said in template_problem(template, format)


PARTS = st.lists(st.sampled_from(["{project}", "{task}", "{year}", "{day}", "/", "-", "1", "a"]), max_size=3).map(
    "".join
)
UNITS = [
    {"project": project, "task": task, "annotation": annotation, "created_at": day * 86_400.0}
    for project in (1, 11)
    for task in (1, 2, 11, 12, 21, 111)
    for annotation in (1, 2, 3, 11, 12, 13, 23, 111)
    for day in (0, 10)
]
"""Numbers that look alike when they stand side by side."""


@settings(max_examples=200)
@given(PARTS, PARTS, st.sampled_from(["annotation", "task"]))
def test_no_two_objects_share_a_name(left, right, format):  # noqa: A002
    template = f"{left}{{{format}}}{right}"
    if template_problem(template, format):
        return
    owners: dict[str, int] = {}
    for unit in UNITS:
        assert owners.setdefault(named(template, format, **unit), unit[format]) == unit[format]


def test_a_template_is_checked_against_the_format_it_goes_with():
    """Also where only one of the two is given, and the other is stored."""
    config = clean(S3, {"key_template": "{task}.json"}, partial=False, direction="export")
    stored = Storage(
        id=1, type="s3", direction="export", project=1, created_at=0.0, config=config, secrets=b"", meta={}
    )
    with pytest.raises(InvalidInputError) as caught:
        check_together(stored)
    assert list(caught.value.fields) == ["key_template"]


@pytest.mark.parametrize("bad", ["Task", "", None, 1, True, ["task"], {"task": 1}])
def test_formats_are_two(bad):
    with pytest.raises(InvalidInputError) as caught:
        clean(S3, {"export_format": bad}, partial=True, direction="export")
    assert list(caught.value.fields) == ["export_format"]


def test_a_direction_does_not_know_the_fields_of_the_other():
    given = {"presign": False, "recursive_scan": True, "manifest": True, "can_delete_objects": True}
    assert clean(S3, given, partial=True) == {"presign": False, "recursive_scan": True}
    assert clean(S3, given, partial=True, direction="export") == {"manifest": True, "can_delete_objects": True}
    assert clean(REDIS, {}, partial=False)["db"] == 1
    assert clean(REDIS, {}, partial=False, direction="export")["db"] == 2
