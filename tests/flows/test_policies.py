"""What the policies do, case by case: marks, deletions that are earned, edits of the policies, and the way back."""

from dataclasses import replace

import pytest

from shared.errors import InvalidInputError
from shared.model.webhook import Webhook
from shared.services.sync import runs
from tests.flows.memory_desk import SETTINGS, Desk
from tests.simulation.world import PROJECT, STORAGE

DELETE = {"on_deleted": "delete_unannotated"}


def test_a_listing_alone_deletes_nothing():
    """An object that a listing lacks and that is there keeps its task; the mark goes when it is listed again."""
    desk = Desk(**DELETE)
    desk.bucket.hidden = ("b",)

    ended = desk.sync()

    assert (ended.status, desk.bucket.asked, ended.meta["tasks_deleted"]) == ("completed", 1, 0)
    assert set(desk.tasks()) == set("abcd")
    desk.bucket.hidden = ()
    assert desk.sync().meta["objects_imported"] == 4
    assert desk.tasks() == dict.fromkeys("abcd", "")


def test_what_may_not_be_asked_for_is_not_gone():
    desk = Desk(**DELETE)
    desk.bucket.remove("b")
    desk.bucket.refused = True

    assert desk.sync().status == "completed"
    assert set(desk.tasks()) == set("abcd")
    desk.bucket.refused = False
    assert desk.sync().meta["tasks_deleted"] == 1


@pytest.mark.parametrize("blob_mode", [True, False])
def test_more_than_may_go(blob_mode):
    """Nothing is deleted, all are marked, the run says so and how to go on; and so it does."""
    desk = Desk(blob_mode=blob_mode, **DELETE)
    for key in "abc":
        desk.bucket.remove(key)

    for _ in range(2):
        ended = desk.sync()
        assert (ended.status, ended.meta["tasks_deleted"], desk.world.deletions) == ("completed_with_errors", 0, 0)
        assert ended.traceback.startswith("3 objects are gone")
        assert "?delete_gone=true" in ended.traceback
        assert desk.tasks() == {"a": "source_deleted", "b": "source_deleted", "c": "source_deleted", "d": ""}
    done = desk.sync(delete_gone=True)
    assert (done.status, done.traceback, done.meta["tasks_deleted"]) == ("completed", None, 3)
    assert desk.tasks() == {"d": ""}
    assert desk.sync().meta["objects_gone"] == 0


def test_they_were_not_meant_to_go():
    desk = Desk(**DELETE)
    held = {key: desk.bucket.read(key, desk.bucket.stat(key).info.version) for key in "abc"}
    for key in held:
        desk.bucket.remove(key)
    desk.sync()
    for key, body in held.items():
        desk.bucket.put(key, body)

    ended = desk.sync()

    assert (ended.status, ended.last_sync_count) == ("completed", 0)
    assert desk.tasks() == dict.fromkeys("abcd", "")


def test_a_tenth_of_a_large_storage_may_go():
    settings = replace(SETTINGS, deletion_floor=1, deletion_share=0.5)
    desk = Desk(settings=settings, **DELETE)
    desk.bucket.remove("a")
    desk.bucket.remove("b")

    assert desk.sync().meta["tasks_deleted"] == 2


def test_events_delete_no_more_than_a_run_may():
    """One by one they would empty the project; the sync that follows sees the whole."""
    desk = Desk(**DELETE)
    for key in "abcd":
        desk.bucket.remove(key)
        desk.told(key)

    assert desk.world.deletions == 2
    assert desk.tasks() == {"c": "source_deleted", "d": "source_deleted"}
    assert desk.ctx.storages.get(STORAGE).value.status == "completed", "event work is no run"
    assert desk.sync().meta["tasks_deleted"] == 2  # these two are all that this run finds gone


def test_deletions_are_told():
    desk = Desk(**DELETE)
    hook = Webhook(id=1, project=PROJECT, sealed=b"", created_at=0.0, updated_at=0.0)
    desk.ctx.documents.commit([desk.ctx.webhooks.create(1, hook)])
    gone = desk.number("a")
    desk.bucket.remove("a")

    desk.sync()

    told = [stored.value for stored in desk.ctx.outbox.find()]
    assert [(item.action, item.ids) for item in told] == [("TASKS_DELETED", (gone,))]


def test_back_after_a_deletion_by_policy_and_by_a_user():
    """What the policy deleted comes back with its object; what a user deleted does not."""
    desk = Desk(**DELETE)
    desk.delete("b")
    for key in "ab":
        desk.bucket.remove(key)
    desk.sync()
    for key in "ab":
        desk.put(key, "again")

    ended = desk.sync()

    assert (ended.status, ended.last_sync_count, set(desk.tasks())) == ("completed", 1, set("acd"))
    assert desk.sync().meta["tasks_existed"] == 3


def test_from_keep_to_another_policy():
    """What is gone already is found by the next sync."""
    desk = Desk()
    desk.annotate("b")
    for key in "ab":
        desk.bucket.remove(key)
    assert desk.sync().meta["objects_gone"] == 2
    assert desk.tasks() == dict.fromkeys("abcd", "")

    desk.edit(on_deleted="mark")
    desk.sync()
    assert desk.tasks() == {"a": "source_deleted", "b": "source_deleted", "c": "", "d": ""}
    desk.edit(on_deleted="keep")
    desk.sync()
    assert desk.tasks()["a"] == "source_deleted", "it still is"
    desk.edit(on_deleted="delete_unannotated")
    desk.sync()
    assert desk.tasks() == {"b": "source_deleted", "c": "", "d": ""}


def test_from_ignore_to_update():
    desk = Desk(blob_mode=False, keys="ab", on_changed="ignore")
    desk.annotate("b")
    for key in "ab":
        desk.put(key, "second")
    assert (desk.sync().meta["tasks_updated"], desk.texts()) == (0, [("first", ""), ("first", "")])

    desk.edit(on_changed="update_unannotated")

    assert desk.sync().meta["tasks_updated"] == 1
    assert sorted(desk.texts()) == [("first", "source_changed"), ("second", ""), ("second", "")]


def test_what_is_ignored_comes_back_as_it_was():
    """A file that was gone and marked is back with more in it: its tasks stay those that they were."""
    desk = Desk(blob_mode=False, keys="", on_changed="ignore", on_deleted="mark")
    desk.put("a", "one", "two")
    desk.sync()
    desk.bucket.remove("a")
    desk.sync()
    assert desk.texts() == [("one", "source_deleted"), ("two", "source_deleted")]
    desk.put("a", "1", "2", "3")

    assert desk.sync().meta["objects_imported"] == 1
    assert desk.texts() == [("one", ""), ("two", "")]
    desk.edit(on_changed="update_unannotated")
    desk.sync()
    assert desk.texts() == [("1", ""), ("2", ""), ("3", "")]


@pytest.mark.parametrize(("policy", "left"), [("keep", ""), ("mark", "source_deleted"), ("delete_unannotated", None)])
def test_rows_that_went(policy, left):
    desk = Desk(blob_mode=False, keys="", on_deleted=policy)
    desk.put("a", "one", "two", "three")
    desk.sync()
    desk.put("a", "one")

    desk.sync()

    gone = [] if left is None else [("two", left), ("three", left)]
    assert desk.texts() == [("one", ""), *gone]


def test_a_mark_tells_of_the_version_and_goes_with_it():
    desk = Desk(blob_mode=False, keys="a")
    desk.annotate("a")
    desk.put("a", "second")
    desk.sync()
    assert sorted(desk.texts()) == [("first", "source_changed"), ("second", "")]
    found, _ = desk.ctx.tasks.page(PROJECT, after=None, limit=100)
    said = [task.data["mark_version"] for task in found if task.data.get("mark")]
    assert said == [desk.bucket.stat("a").info.version]
    desk.put("a", "first")
    desk.sync()
    assert ("first", "") in desk.texts()


def test_out_of_scope_is_not_gone():
    desk = Desk(**DELETE)
    desk.edit(regex_filter="[ab]")
    desk.bucket.remove("c")

    ended = desk.sync()

    assert (ended.meta["objects_gone"], ended.meta["tasks_deleted"], len(desk.tasks())) == (0, 0, 4)
    desk.edit(regex_filter=None)
    assert (desk.sync().meta["tasks_deleted"], set(desk.tasks())) == (1, set("abd"))


@pytest.mark.parametrize("blob_mode", [True, False])
def test_the_way_back(blob_mode):
    """A user's deletion is forgotten by a sync that is asked to, for objects that are there, as they are now."""
    desk = Desk(blob_mode=blob_mode)
    for key in "ab":
        desk.delete(key)
    desk.bucket.remove("b")
    desk.put("a", "second")
    assert (desk.sync().last_sync_count, set(desk.tasks())) == (0, set("cd"))

    ended = desk.sync(reimport_deleted=True)

    counts = ended.meta["objects_listed"], ended.meta["objects_imported"], ended.meta["objects_failed"]
    assert (ended.status, ended.last_sync_count, ended.meta["tasks_existed"], counts) == ("completed", 1, 2, (3, 3, 0))
    assert set(desk.tasks()) == set("acd")
    if not blob_mode:
        assert desk.texts()[0] == ("second", "")
    assert desk.sync(reimport_deleted=True).last_sync_count == 0
    desk.delete("a")
    assert (desk.sync().last_sync_count, set(desk.tasks())) == (0, set("cd"))


def test_a_sync_under_way_is_not_asked_for_more():
    desk = Desk()
    run = runs.start_run(desk.ctx, STORAGE)
    for wish in ("reimport_deleted", "delete_gone"):
        with pytest.raises(InvalidInputError) as refused:
            runs.start_run(desk.ctx, STORAGE, **{wish: True})
        assert list(refused.value.fields) == [wish]
    desk.work()
    run = runs.start_run(desk.ctx, STORAGE, reimport_deleted=True)
    assert run == runs.start_run(desk.ctx, STORAGE, reimport_deleted=True) == runs.start_run(desk.ctx, STORAGE)
