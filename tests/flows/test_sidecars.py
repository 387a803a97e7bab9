"""Sidecars: x.json beside x.jpg says more of its task, whichever comes first, changes or goes."""

import json
from dataclasses import replace

import pytest

from shared.errors import VersionMismatchError
from shared.model.task import UNDEFINED
from tests.flows.memory_desk import SETTINGS, Desk
from tests.simulation.world import PROJECT

PREDICTION = {"model_version": "m", "score": 0.5, "result": []}


class Pictures(Desk):
    """A storage whose objects may have sidecars."""

    def __init__(self, settings=SETTINGS, **config):
        super().__init__("", settings=settings, **{"sidecar": "json", "recursive_scan": True, **config})

    def picture(self, *keys):
        for key in keys:
            self.bucket.put(key, b"picture of " + key.encode())

    def say(self, key, said):
        self.bucket.put(key, said if isinstance(said, bytes) else json.dumps(said).encode())

    def found(self):
        """Data of each object's task, without its address, which must be the right one."""
        tasks, _ = self.ctx.tasks.page(PROJECT, after=None, limit=1000)
        data = {task.data["key"]: json.loads(task.data["data"]) for task in tasks}
        for key, one in data.items():
            assert one.pop(UNDEFINED).endswith(key)
        assert len(tasks) == len(data)
        return data


def test_a_sidecar_says_more_of_a_task():
    desk = Pictures()
    desk.picture("a.jpg", "b.jpg", "c.png", "deep/d.tar.gz", "e")
    desk.say("a.json", {"city": "Bern", "tags": ["x"]})
    desk.say("b.json", {"data": {"city": "Uri"}, "predictions": [PREDICTION], "meta": {"from": "m"}})
    desk.say("deep/d.tar.json", {"predictions": [PREDICTION, PREDICTION], "meta": "is data here"})
    desk.say("e.json", {"n": 1})
    desk.say("nobody.json", {"n": 2})

    ended = desk.sync()

    assert ended.status == "completed"
    assert desk.found() == {
        "a.jpg": {"city": "Bern", "tags": ["x"]},
        "b.jpg": {"city": "Uri"},
        "c.png": {},
        "deep/d.tar.gz": {"meta": "is data here"},
        "e": {"n": 1},
    }
    assert (ended.last_sync_count, ended.meta["objects_imported"], ended.meta["objects_excluded"]) == (5, 5, 5)
    tasks, _ = desk.ctx.tasks.page(PROJECT, after=None, limit=10)
    assert {t.data["key"]: t.data.get("total_predictions", 0) for t in tasks if t.data.get("total_predictions")} == {
        "b.jpg": 1,
        "deep/d.tar.gz": 2,
    }
    assert desk.sync().last_sync_count == 0


@pytest.mark.parametrize("on_changed", ["update_unannotated", "ignore"])
def test_whichever_comes_first(on_changed):
    desk = Pictures(on_changed=on_changed)
    desk.picture("a.jpg")
    desk.say("b.json", {"n": 2})
    desk.sync()
    assert desk.found() == {"a.jpg": {}}
    number = desk.number("a.jpg")
    desk.say("a.json", {"n": 1})
    desk.picture("b.jpg")
    desk.told("a.json")
    desk.told("b.jpg")
    assert desk.found() == {"a.jpg": {"n": 1}, "b.jpg": {"n": 2}}
    assert desk.number("a.jpg") == number
    desk.say("a.json", {"n": 9})
    desk.told("a.json")
    assert desk.found()["a.jpg"] == {"n": 9 if on_changed == "update_unannotated" else 1}


def test_a_task_that_somebody_worked_on_is_marked():
    desk = Pictures()
    desk.picture("a.jpg", "b.jpg")
    for key in ("a.json", "b.json"):
        desk.say(key, {"n": 1})
    desk.sync()
    desk.annotate("a.jpg")
    for key in ("a.json", "b.json"):
        desk.say(key, {"n": 2})
    assert desk.sync().meta["tasks_updated"] == 1
    assert desk.found() == {"a.jpg": {"n": 1}, "b.jpg": {"n": 2}}
    assert desk.tasks() == {"a.jpg": "source_changed", "b.jpg": ""}


def test_a_sidecar_that_goes_takes_what_it_said():
    desk = Pictures()
    desk.picture("a.jpg")
    desk.say("a.json", {"data": {"n": 1}, "predictions": [PREDICTION]})
    desk.sync()
    desk.bucket.remove("a.json")
    desk.told("a.json")
    assert desk.found() == {"a.jpg": {}}
    tasks, _ = desk.ctx.tasks.page(PROJECT, after=None, limit=10)
    assert not tasks[0].data.get("total_predictions")


def test_an_object_that_goes_takes_its_task_and_a_sidecar_alone_is_none():
    desk = Pictures(on_deleted="delete_unannotated")
    desk.picture("a.jpg", "b.jpg")
    desk.say("a.json", {"n": 1})
    desk.sync()
    desk.bucket.remove("a.jpg")
    desk.sync()
    assert desk.found() == {"b.jpg": {}}
    desk.picture("a.jpg")
    desk.sync()
    assert desk.found() == {"a.jpg": {"n": 1}, "b.jpg": {}}


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (b"{no json", "a.json: "),
        (b"", "a.json: "),
        (b"[1]", "a.json must be an object"),
        (json.dumps({"data": {}, "predictions": "many"}).encode(), "'predictions' must be a list"),
        (json.dumps({"n": 123456789012345678901234567890}).encode(), "does not fit 64 bits"),
        (b'{"text": "' + b"x" * 1000 + b'"}', "the limit is 900"),
    ],
    ids=["no JSON", "nothing", "a list", "no list of predictions", "a long integer", "too large"],
)
def test_one_that_can_not_be_read_fails_its_object_alone(said, reason):
    desk = Pictures(replace(SETTINGS, max_row_bytes=900))
    desk.picture("a.jpg", "b.jpg")
    desk.say("a.json", said)
    ended = desk.sync()
    assert (ended.status, ended.last_sync_count) == ("completed_with_errors", 1)
    assert "a.jpg: " in ended.traceback
    assert reason in ended.traceback
    assert desk.found() == {"b.jpg": {}}
    desk.say("a.json", {"n": 1})
    assert desk.sync().status == "completed"
    assert desk.found() == {"a.jpg": {"n": 1}, "b.jpg": {}}


def test_the_address_is_the_objects_whatever_a_sidecar_says():
    desk = Pictures()
    desk.picture("a.jpg")
    desk.say("a.json", {"image": "elsewhere", UNDEFINED: "elsewhere", "n": 1})
    desk.sync()
    assert desk.found() == {"a.jpg": {"image": "elsewhere", "n": 1}}


def test_filters_speak_of_objects_alone():
    desk = Pictures(regex_filter=r".*\.jpg")
    desk.picture("a.jpg", "b.png")
    desk.say("a.json", {"n": 1})
    desk.sync()
    assert desk.found() == {"a.jpg": {"n": 1}}


@pytest.mark.parametrize("target", [3, 4, 7])
def test_chunks_hold_objects_with_their_sidecars(target):
    """However the listing is cut; and all at once or one by one."""
    desk = Pictures(replace(SETTINGS, chunk_target=target))
    names = [f"{folder}/{n:02d}" for folder in ("a", "b") for n in range(20)]
    for n, name in enumerate(names):
        desk.picture(f"{name}.jpg", f"{name}.png", f"{name}.zip")  # the sidecar sorts between them
        desk.say(f"{name}.json", {"n": n})
    assert desk.sync().last_sync_count == 3 * len(names)
    wanted = {f"{name}.{ending}": {"n": n} for n, name in enumerate(names) for ending in ("jpg", "png", "zip")}
    assert desk.found() == wanted
    asked = desk.bucket.asked
    assert desk.sync().last_sync_count == 0
    assert desk.bucket.asked == asked == 0
    desk.say("a/07.json", {"n": "new"})
    desk.told("a/07.json")
    assert desk.found() == wanted | {f"a/07.{it}": {"n": "new"} for it in ("jpg", "png", "zip")}


def test_where_chunks_were_cut_before_there_were_sidecars():
    """Those that lie in a neighbour's range are asked for by themselves."""
    desk = Pictures(replace(SETTINGS, chunk_target=1), sidecar="none")
    names = [f"{n:02d}" for n in range(9)]
    desk.picture(*(f"{name}.{ending}" for name in names for ending in ("jpg", "png")))
    desk.sync()
    for n, name in enumerate(names):
        desk.say(f"{name}.json", {"n": n})
    desk.edit(sidecar="json")
    desk.sync()
    assert desk.found() == {f"{name}.{it}": {"n": n} for n, name in enumerate(names) for it in ("jpg", "png")}


def test_one_that_is_replaced_while_it_is_read():
    desk = Pictures()
    desk.picture("a.jpg")
    desk.say("a.json", {"n": 1})
    inner = desk.bucket.read

    def read(key, version, **limits):
        if key == "a.json" and not desk.bucket.refused:
            desk.bucket.refused = None  # once
            desk.say("a.json", {"n": 2})
            desk.bucket.read = inner
            raise VersionMismatchError("replaced")
        return inner(key, version, **limits)

    desk.bucket.read = read
    assert desk.sync().status == "completed"
    assert desk.found() == {"a.jpg": {"n": 2}}
