"""`tasks.*`, `annotations.*` and `predictions.*` of the real SDK."""

from typing import Any

import pytest

from tests.sdk.client import Sdk, SdkError

CONFIG = """<View><Image name="image" value="$image"/><Choices name="ch" toName="image">
<Choice value="cat"/><Choice value="dog"/></Choices></View>"""


def choice(value: str) -> list[dict[str, Any]]:
    return [{"from_name": "ch", "to_name": "image", "type": "choices", "value": {"choices": [value]}}]


@pytest.fixture
def project(sdk: Sdk) -> int:
    return int(sdk.projects.create(title="A project", label_config=CONFIG)["id"])


def test_every_method_of_tasks(sdk: Sdk, project: int):
    tasks = sdk.tasks
    with sdk.covering("tasks"):
        made = tasks.create(project=project, data={"image": "http://x/1.jpg"}, meta={"from": "a test"})
        assert (made["project"], made["data"], made["meta"]) == (
            project,
            {"image": "http://x/1.jpg"},
            {"from": "a test"},
        )
        with pytest.raises(SdkError, match="400") as refused:
            tasks.create(project=project, data={"picture": "http://x/1.jpg"})
        assert list(refused.value.body["validation_errors"]) == ["data"]
        read = tasks.get(made["id"])
        assert sdk.type == "LseTask"
        assert (read["id"], read["annotations"], read["predictions"]) == (made["id"], [], [])
        changed = tasks.update(made["id"], data={"image": "http://x/2.jpg"}, meta={})
        assert changed["data"] == {"image": "http://x/2.jpg"} == tasks.get(made["id"])["data"]

        given = [{"data": {"image": f"http://x/{n}.jpg"}} for n in range(4)]
        upload = sdk.projects.import_tasks(project, request=given)["import"]
        assert tasks.create_many_status(project, upload)["status"] == "completed"
        assert len(tasks.list(project=project)) == 5

        assert tasks.delete(made["id"]) is None
        with pytest.raises(SdkError, match="404"):
            tasks.get(made["id"])
        assert tasks.delete_all_tasks(project) is None
        assert tasks.list(project=project) == []


def test_pages_of_tasks_are_read_to_their_end(sdk: Sdk, project: int):
    given = [{"data": {"image": f"http://x/{n}.jpg"}} for n in range(7)]
    made = sdk.projects.import_tasks(project, request=given, return_task_ids=True)["task_ids"]
    listed = sdk.tasks.list(project=project, page_size=3)
    assert [task["data"] for task in listed] == [task["data"] for task in given]
    assert [task["id"] for task in listed] == made
    assert [sent.status for sent in sdk.sent] == [200, 200, 200, 404]
    assert {sent.path.partition("?")[0] for sent in sdk.sent} == {"/api/tasks/"}
    assert all("fields=all" in sent.path for sent in sdk.sent)
    assert len(sdk.tasks.list(project=project, page_size=7)) == 7
    assert [sent.status for sent in sdk.sent] == [200, 404]
    assert "annotations" not in sdk.tasks.list(project=project, fields="task_only")[0]


def test_which_tasks(sdk: Sdk, project: int):
    given = [{"data": {"image": f"http://x/{n}.jpg"}} for n in range(4)]
    made = sdk.projects.import_tasks(project, request=given, return_task_ids=True)["task_ids"]
    sdk.annotations.create(id=made[2], result=choice("cat"))

    def found(**wanted: object) -> list[int]:
        return [made.index(task["id"]) for task in sdk.tasks.list(project=project, **wanted)]

    query = (
        '{"filters": {"conjunction": "and", "items": [{"filter": "filter:tasks:id", "operator": "equal",'
        f' "type": "Number", "value": {made[1]}}}]}}}}'
    )
    assert found(query=query) == [1]
    assert found(only_annotated=True) == [2]
    assert found(selected_items=f'{{"all": false, "included": [{made[0]}, {made[3]}]}}') == [0, 3]
    assert found(query='{"ordering": ["-tasks:total_annotations"]}')[0] == 2
    assert found(resolve_uri=True, include="id", review=False) == [0, 1, 2, 3]


def test_every_method_of_annotations(sdk: Sdk, project: int):
    annotations = sdk.annotations
    task, other = (sdk.tasks.create(project=project, data={"image": f"http://x/{n}.jpg"})["id"] for n in range(2))
    with sdk.covering("annotations"):
        made = annotations.create(id=task, result=choice("cat"), lead_time=1.5)
        assert sdk.type == "Annotation"
        assert (made["task"], made["result"], made["completed_by"]) == (task, choice("cat"), 1)
        assert annotations.create(id=task, result=choice("cat"), lead_time=1.5)["id"] == made["id"], "sent again"
        skipped = annotations.create(id=task, result=[], was_cancelled=True)
        assert [one["id"] for one in annotations.list(id=task)] == [made["id"]]
        assert [one["id"] for one in annotations.list(id=task, ordering="-id")] == [made["id"]]
        assert annotations.get(id=skipped["id"])["was_cancelled"] is True
        changed = annotations.update(id=made["id"], result=choice("dog"), ground_truth=True)
        assert (changed["result"], changed["ground_truth"], changed["updated_by"]) == (choice("dog"), True, 1)
        read = sdk.tasks.get(task)
        assert (read["total_annotations"], read["cancelled_annotations"], read["is_labeled"]) == (1, 1, True)
        assert read["annotations"][0]["result"] == choice("dog")
        with pytest.raises(SdkError, match="400"):
            annotations.create(id=task, result={"no": "list"})

        assert annotations.delete(id=skipped["id"]) is None
        many = annotations.create_bulk(tasks=[task, other], result=choice("dog"))
        assert len(many) == 2
        assert annotations.delete_bulk(ids=[one["id"] for one in many], project=project)["deleted_count"] == 2
        assert annotations.list(id=other) == []
        with pytest.raises(SdkError, match="404"):
            annotations.get(id=skipped["id"])


def test_equal_annotations_at_once_are_one(sdk: Sdk, project: int):
    """The SDK sends a POST again when its answer is late."""
    task = sdk.tasks.create(project=project, data={"image": "http://x/1.jpg"})["id"]
    made = sdk.at_once(4, "annotations.create", id=task, result=choice("cat"))
    assert len({one["id"] for one in made}) == 1
    assert len(sdk.annotations.list(id=task)) == 1


def test_every_method_of_predictions(sdk: Sdk, project: int):
    predictions = sdk.predictions
    task = sdk.tasks.create(project=project, data={"image": "http://x/1.jpg"})["id"]
    with sdk.covering("predictions"):
        made = predictions.create(task=task, result=choice("cat"), score=0.5, model_version="v1")
        assert sdk.type == "Prediction"
        assert (made["task"], made["score"], made["model_version"]) == (task, 0.5, "v1")
        assert [one["id"] for one in predictions.list(task=task)] == [made["id"]]
        assert [one["id"] for one in predictions.list(project=project)] == [made["id"]]
        assert [one["id"] for one in predictions.list(task_project=project)] == [made["id"]]
        assert predictions.get(id=made["id"])["result"] == choice("cat")
        assert predictions.update(id=made["id"], score=0.75, task=task)["score"] == 0.75
        assert sdk.tasks.get(task)["predictions"][0]["score"] == 0.75
        assert predictions.delete(id=made["id"]) is None
        assert predictions.list(task=task) == []
