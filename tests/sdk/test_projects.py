"""`projects.*` of the real SDK."""

import pytest

from tests.sdk.client import Sdk, SdkError

CONFIG = """<View><Image name="img" value="$image"/><Choices name="ch" toName="img">
<Choice value="cat"/><Choice value="dog"/></Choices></View>"""


def test_every_method_of_projects(sdk: Sdk):
    projects = sdk.projects
    with sdk.covering("projects"):
        made = projects.create(title="Cats", label_config=CONFIG, maximum_annotations=2, color="#00AA00")
        assert made.items() >= {"title": "Cats", "label_config": CONFIG, "maximum_annotations": 2}.items()
        assert sdk.type == "LseProjectCreate"
        number = made["id"]
        read = projects.get(number)
        assert (read["id"], read["color"], read["task_number"]) == (number, "#00AA00", 0)
        assert sdk.type == "ProjectExt"

        changed = projects.update(number, title="Dogs", sampling="Uniform sampling", pinned_at="2026-01-01T00:00:00Z")
        assert (changed["title"], changed["sampling"]) == ("Dogs", "Uniform sampling")
        assert changed["pinned_at"].startswith("2026-01-01T00:00:00")
        assert projects.get(number)["title"] == "Dogs"

        assert projects.validate_label_config(number, label_config=CONFIG) == {
            "config_essential_data_has_changed": False
        }
        with pytest.raises(SdkError, match="400") as refused:
            projects.validate_label_config(number, label_config="<View>")
        assert list(refused.value.body["validation_errors"]) == ["label_config"]

        tasks = [{"data": {"image": f"http://x/{n}.jpg"}} for n in range(3)]
        imported = projects.import_tasks(number, request=tasks, return_task_ids=True)
        assert (imported["task_count"], len(imported["task_ids"])) == (3, 3)
        choice = {"from_name": "ch", "to_name": "img", "type": "choices", "value": {"choices": ["cat"]}}
        given = [{"task": task, "result": [choice], "score": 0.5} for task in imported["task_ids"]]
        assert projects.import_predictions(number, request=given)["created"] == 3
        sdk.annotations.create(id=imported["task_ids"][0], result=[choice])
        assert [user["username"] for user in projects.list_unique_annotators(number)] == ["admin"]
        counts = projects.list_counts(ids=str(number))
        assert (counts["count"], counts["results"][0]["task_number"]) == (1, 3)
        assert counts["results"][0]["total_predictions_number"] == 3
        assert projects.list_counts(include="task_number")["results"][0]["total_predictions_number"] is None

        copy = projects.duplicate(number, mode="settings", title="A copy", workspace=1)
        assert sdk.type == "DuplicateProjectsResponse"
        assert projects.get(copy["id"])["sampling"] == "Uniform sampling"
        with pytest.raises(SdkError, match="400"):
            projects.duplicate(number, mode="settings,data", title="A copy", workspace=1)

        assert [project["id"] for project in projects.list()] == [number, copy["id"]]
        assert projects.delete(number) is None
        with pytest.raises(SdkError, match="404"):
            projects.get(number)


def test_lists_of_projects(sdk: Sdk):
    made = [sdk.projects.create(title=f"Project {n}")["id"] for n in range(5)]
    listed = sdk.projects.list(page_size=2)
    assert [project["id"] for project in listed] == made[::-1]
    pages = [sent.path.partition("?")[2] for sent in sdk.sent]
    assert pages == ["page=1&page_size=2", "page=2&page_size=2", "page=3&page_size=2", "page=4&page_size=2"]
    assert sdk.sent[-1].status == 404

    def found(**wanted: object) -> list[int]:
        return [made.index(project["id"]) for project in sdk.projects.list(**wanted)]

    assert found(ids=f"{made[1]},{made[3]}") == [3, 1]
    assert found(title="ject 2") == [2]
    assert found(search="PROJECT 4", include="task_number") == [4]
    assert found(ordering="title", page_size=3) == [0, 1, 2, 3, 4]
    assert found(filter="pinned_only") == []
    assert found(archived=False, members_limit=3) == [4, 3, 2, 1, 0]
    with pytest.raises(SdkError, match="400"):
        found(workspaces=1)


def test_the_label_interface(sdk: Sdk):
    number = sdk.projects.create(title="Cats", label_config=CONFIG)["id"]
    interface = sdk.label_interface(number)
    assert interface["controls"] == {"ch": "ChoicesTag"}
    assert interface["objects"] == {"img": "ImageTag"}
    assert list(interface["sample"]) == ["image"]


@pytest.mark.parametrize(
    ("call", "arguments", "name", "status"),
    [
        ("projects.create", {"title": "ab"}, "ApiError", 400),
        ("projects.get", {"id": 999}, "ApiError", 404),
        ("tasks.get", {"id": 999}, "ApiError", 404),
        ("tasks.list", {"project": 999}, "ApiError", 404),
        ("tasks.list", {"project": 1, "query": "no JSON"}, "BadRequestError", 400),
        ("projects.import_tasks", {"id": 1, "request": ["no task"]}, "BadRequestError", 400),
        ("projects.import_predictions", {"id": 1, "request": [{"task": 5, "result": []}]}, "BadRequestError", 400),
        ("annotations.delete_bulk", {"ids": [1], "project": 999}, "BadRequestError", 400),
        ("tokens.blacklist", {"refresh": "nothing"}, "NotFoundError", 404),
    ],
)
@pytest.mark.parametrize("platform", ["embedded"], indirect=True)
def test_errors_are_the_classes_of_the_sdk(sdk: Sdk, call: str, arguments: dict[str, object], name: str, status: int):
    sdk.projects.create(title="The first")
    with pytest.raises(SdkError) as error:
        sdk.call(call, (), arguments)
    assert (error.value.name, error.value.status) == (name, status)
    assert error.value.body["status_code"] == status
    assert error.value.body["detail"]
