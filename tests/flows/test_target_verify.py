"""What a target says of itself: the manifest of a full sync, and the bucket read again."""

import hashlib
import json

import pytest
from typer.testing import CliRunner

from infra.cli import app as sluice
from shared.services.exports import manifest, verifying
from tests.flows.target_desk import annotated, ended, synced, target

CODES = {"well": 0, "differs": 2, "unreadable": 1}


def test_no_manifest_unless_asked_for(targets):
    targets.annotate(2)
    targets.target()
    targets.work()
    assert not [key for key in targets.names() if ".sluice" in key]


@pytest.mark.parametrize("part", [1000, 3], ids=["one file", "parts"])
def test_the_manifest_names_every_object(targets, monkeypatch, part):
    """With size and checksum; beyond a limit it names parts. It is no surplus, and is never in the listing's way."""
    monkeypatch.setattr(manifest, "PART", part)
    targets.annotate(8)
    storage = targets.target(manifest=True)
    targets.work()
    for _ in range(3):  # it is written when nothing else is left to do
        targets.pass_time(31)
        targets.work()
    assert ("completed", 8) == targets.state(storage)[0:3:2]

    told = targets.body("out/.sluice/manifest.json")

    entries = told.get("objects") or [entry for one in told["parts"] for entry in targets.body(one["key"])["objects"]]
    assert (8, storage, targets.project) == (told["total"], told["storage"], told["project"])
    assert (part == 3) == ("parts" in told)
    for entry in entries:
        body = targets.s3.get("bucket", entry["key"])
        assert (len(body), hashlib.sha256(body).hexdigest()) == (entry["size"], entry["sha256"])
    assert [key for key in targets.names() if ".sluice" not in key] == sorted(entry["key"] for entry in entries)
    checked = verifying.verify(targets.ctx, targets.ctx.storages.get(storage).value)
    assert ([], [], []) == (checked.missing, checked.changed, checked.surplus)


def test_a_manifest_of_fewer_objects(targets, monkeypatch):
    """Parts of an earlier one that are not named any more are gone."""
    monkeypatch.setattr(manifest, "PART", 3)
    targets.annotate(8)
    storage = targets.target(manifest=True, can_delete_objects=True)
    for _ in range(3):
        targets.work()
        targets.pass_time(31)
    assert 3 == len([key for key in targets.names() if "manifest-" in key])
    monkeypatch.setattr(manifest, "PART", 1000)

    targets.sync(storage)
    for _ in range(3):
        targets.pass_time(31)
        targets.work()

    assert ["out/.sluice/manifest.json"] == [key for key in targets.names() if ".sluice" in key]


def test_the_manifest_comes_last(targets):
    """Its sync is one whose objects are all there."""
    targets.annotate(450)
    targets.ctx.settings = targets.ctx.settings
    storage = targets.target(manifest=True)
    while "out/.sluice/manifest.json" not in targets.names():
        assert targets.state(storage).status != "completed"
        if not targets.ctx.queue.step():
            targets.pass_time(5)
    assert 450 == targets.body("out/.sluice/manifest.json")["total"]


def test_missing_changed_and_surplus(targets):
    """Found part by part, each once."""
    targets.annotate(40)
    storage = targets.target()
    targets.work()
    keys = targets.names()
    targets.s3.delete("bucket", keys[3], keys[-1])
    targets.s3.put("bucket", keys[7], b"{}")
    targets.s3.put("bucket", "out/0000", b"{}")
    targets.s3.put("bucket", "out/zzz", b"{}")
    stored = targets.ctx.storages.get(storage).value

    found = {"missing": [], "changed": [], "surplus": []}
    checked, after = 0, ""
    while after is not None:
        part = verifying.verify(targets.ctx, stored, after=after, limit=5)
        checked, after = checked + part.checked, part.next
        for name, told in found.items():
            told += getattr(part, name)

    assert {"missing": [keys[3], keys[-1]], "changed": [keys[7]], "surplus": ["out/0000", "out/zzz"]} == found
    assert 42 == checked


def test_on_the_command_line(api, stack, bucket):
    """Exit codes: 0 if all is well, 2 if not, 1 if the bucket can't be read."""
    project = annotated(api, 5)
    storage = target(api, project, bucket, prefix="out")
    ended(api, storage)
    command = ["verify-export", str(storage["id"]), "--url", stack.url, "--token", stack.token]

    def run(*more):
        return CliRunner().invoke(sluice, [*command, *more])

    assert CODES["well"] == run().exit_code
    key = bucket.keys("bucket")[0]
    bucket.put("bucket", key, b"{}")
    told = run("--json")
    assert CODES["differs"] == told.exit_code
    assert {"checked": 5, "missing": [], "changed": [key], "surplus": []} == json.loads(told.stdout)
    assert key in run().output
    assert "completed" == synced(api, storage)["status"]
    assert CODES["well"] == run().exit_code
    bucket.drop("bucket")
    assert CODES["unreadable"] == run().exit_code
    assert CODES["unreadable"] == CliRunner().invoke(sluice, ["verify-export", "999", *command[2:]]).exit_code


def test_a_member_sees_only_their_own(api, stack, bucket):
    project = annotated(api, 1)
    storage = target(api, project, bucket)
    ended(api, storage)
    assert 404 == api.http.get(f"/api/storages/export/s3/{storage['id'] + 1}/verify").status_code
    assert 200 == api.http.get(f"{storage['path']}/verify").status_code
