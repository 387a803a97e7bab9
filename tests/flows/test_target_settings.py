"""Targets whose settings change: what the old ones wrote goes, if objects may be deleted, and else stays."""

from dataclasses import replace

import pytest

from shared.model.providers import S3
from shared.services import projects
from shared.services.labelling import annotating
from shared.services.storages import registration
from tests.flows.target_desk import requests

MOVES = {
    "prefix": ({"prefix": "other"}, "other/{annotation}"),
    "template": ({"key_template": "{task}/{annotation}.json"}, "out/{task}/{annotation}.json"),
    "format": ({"export_format": "task"}, "out/{task}.json"),
    "format and template": ({"export_format": "task", "key_template": "t/{task}"}, "out/t/{task}"),
}


def named(targets, template):
    """The keys that the project's annotations should have."""
    found = targets.ctx.annotations.of_project(targets.project, after=None, limit=1000)
    return {template.format(task=one.value.task, annotation=one.value.id) for one in found}


@pytest.mark.parametrize("deletes", [True, False], ids=["deletes", "keeps"])
@pytest.mark.parametrize("move", MOVES)
def test_another_name(targets, move, deletes):
    """The next sync writes all under their new names, and then the old objects go."""
    settings, template = MOVES[move]
    targets.annotate(12)
    storage = targets.target(can_delete_objects=deletes)
    targets.work()
    before = set(targets.names())

    targets.edit(storage, **settings)
    done = targets.sync(storage)

    assert ("completed", 12) == (done.status, done.last_sync_count)
    wanted = named(targets, template)
    assert (wanted if deletes else wanted | before) == set(targets.names())
    targets.s3.reset()
    assert 0 == targets.sync(storage).meta["objects_written"]
    assert "put" not in requests(targets.s3)


def test_there_and_back(targets):
    """Names that change, and change back before anything was removed."""
    targets.annotate(5)
    storage = targets.target(can_delete_objects=True)
    targets.work()
    for template in ("b/{annotation}", "c/{annotation}", "{annotation}"):
        targets.edit(storage, key_template=template)
        for number in targets.numbers():
            targets.change(number, template)
        targets.work()
        assert named(targets, f"out/{template}") == set(targets.names())


def test_an_edit_while_a_sync_runs(targets):
    """The run that was under way ends, and another one does it all under the new settings."""
    targets.ctx.settings = replace(targets.ctx.settings, slice_seconds=0, chunk_target=100, max_lanes=1)
    targets.annotate(450)
    storage = targets.target(can_delete_objects=True)
    while not targets.names():
        targets.ctx.queue.step()
    assert "in_progress" == targets.state(storage).status

    targets.edit(storage, key_template="new/{annotation}")
    targets.work()

    assert ("completed", 450) == targets.state(storage)[0:3:2]
    assert named(targets, "out/new/{annotation}") == set(targets.names())


def test_deletions_are_allowed_later(targets):
    """What was deleted while nothing might be removed goes with the next sync."""
    targets.annotate(6)
    storage = targets.target()
    targets.work()
    gone = targets.numbers()[:2]
    for number in gone:
        annotating.delete(targets.ctx, number)
    targets.work()
    assert 6 == len(targets.names())

    targets.edit(storage, can_delete_objects=True)
    done = targets.sync(storage)

    assert ("completed", 4, 2) == (done.status, done.last_sync_count, done.meta["objects_deleted"])
    assert named(targets, "out/{annotation}") == set(targets.names())


def test_a_deleted_target(targets):
    """Its objects stay; its links and what it was owed are collected, and messages under way do nothing."""
    targets.annotate(6)
    storage = targets.target(can_delete_objects=True)
    targets.work()
    keys = targets.names()
    targets.change(targets.numbers()[0])
    assert targets.dues()

    registration.delete(targets.ctx, S3, storage, "export")
    targets.s3.reset()
    targets.work()
    targets.sweep()

    assert keys == targets.names()
    assert not requests(targets.s3)
    assert not targets.dues()
    assert not targets.ctx.links.find()


def test_a_deleted_project(targets):
    """Objects stay, and nothing else does."""
    targets.annotate(6)
    targets.target(can_delete_objects=True)
    targets.work()
    keys = targets.names()
    targets.change(targets.numbers()[0])

    projects.delete(targets.ctx, targets.project)
    targets.work()
    targets.sweep()
    targets.sweep()

    assert keys == targets.names()
    for found in (targets.dues(), targets.ctx.links.find(), targets.ctx.annotations.find()):
        assert not found


def test_a_target_that_is_not_synchronizable(targets):
    """Changes reach it all the same, as Label Studio has it; only full syncs are off."""
    storage = targets.target(synchronizable=False)
    assert "initialized" == targets.state(storage).status
    targets.annotate(2)

    targets.work()

    assert named(targets, "out/{annotation}") == set(targets.names())
