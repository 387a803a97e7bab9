"""Creations repeated under one Idempotency-Key: one storage, whatever happened to the first answer."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from shared.errors import CommitRefusedError, CommitUnknownError
from shared.services import idempotency
from shared.services.sweeping import sweep
from shared.services.sync import runs
from shared.settings import Settings
from tests.api.client import Api

KEY = {"Idempotency-Key": "3f1c9a52-7c1e-4f5e-9a39-0d9f0f6f7b11"}
IMPORT, EXPORT = "/api/storages/localfiles", "/api/storages/export/localfiles"
DAY = 86_400.0


def make(api: Api, project: int, path: str = IMPORT, status: int = 201, **more: Any) -> Any:
    body = {"project": project, "path": api.folder(), **more}
    return api.post(path, body, status, headers=KEY)


@pytest.mark.parametrize("path", [IMPORT, EXPORT])
def test_a_repeated_creation_makes_nothing_new(api: Api, path: str):
    project = api.project()
    made = make(api, project, path)
    again = make(api, project, f"{path}/")
    assert again == made
    assert api.count("storages") == 1
    api.call("PATCH", f"{path}/{made['id']}", json={"title": "Now"})
    assert make(api, project, path) == {**made, "title": "Now"}
    assert api.post(path, {"project": project, "path": api.folder()}, 201)["id"] != made["id"]


@pytest.mark.parametrize("path", [IMPORT, EXPORT])
@pytest.mark.parametrize("used", [False, True])
def test_eight_at_once_make_one(api: Api, path: str, used: bool):
    """All of them are past the look for the key before any of them commits; also if it was used days ago."""
    project = api.project()
    if used:
        api.call("DELETE", f"{path}/{make(api, project, path)['id']}", 204)
        later = api.ctx.clock() + DAY + 1
        api.ctx.clock = lambda: later
    together = threading.Barrier(8)
    check = api.ctx.open_store

    def waiting(storage: Any) -> Any:
        together.wait(30)
        return check(storage)

    api.ctx.open_store = waiting
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: make(api, project, path), range(8)))
    assert len({answer["id"] for answer in answers}) == 1
    assert api.count("storages") == api.count("gates") == 1
    assert len(api.ctx.runs.active(None, 10)) == (1 if path == EXPORT else 0)


def test_keys_are_a_users_and_a_routes(api: Api):
    project = api.project()
    numbers = [make(api, project)["id"], make(api, project, EXPORT)["id"], make(api.as_user(project), project)["id"]]
    assert len(set(numbers)) == 3
    assert make(api, project)["id"] == numbers[0]


def test_another_body_under_the_key_is_refused(api: Api):
    project = api.project()
    made = make(api, project)
    error = make(api, project, status=400, title="Other")
    assert "another content" in error["validation_errors"]["Idempotency-Key"][0]
    assert api.get(f"{IMPORT}?project={project}") == [made]


def test_a_refused_request_uses_no_key_up(api: Api):
    project = api.project()
    make(api, project, status=400, regex_filter="[")
    assert make(api, project)["id"]


def test_an_answer_that_was_lost_is_given_again(api: Api):
    """The commit came through, nobody knew, and the client asks once more."""
    project = api.project()
    commit = api.ctx.documents.commit

    def lost(writes: Any, checks: Any = ()) -> Any:
        done = commit(writes, checks)
        if any(write.ref.collection == "storages" for write in writes):
            raise CommitUnknownError
        return done

    api.ctx.documents.commit = lost  # type: ignore[method-assign]
    made = make(api, project)
    api.ctx.documents.commit = commit  # type: ignore[method-assign]
    assert make(api, project) == made
    assert api.count("storages") == 1


def test_a_target_whose_first_sync_was_not_started_gets_it(api: Api, monkeypatch: pytest.MonkeyPatch):
    def died(*_: Any) -> Any:
        raise RuntimeError("boom")

    project = api.project()
    monkeypatch.setattr(runs, "start_run", died)
    make(api, project, EXPORT, 500)
    monkeypatch.undo()
    assert make(api, project, EXPORT)["status"] == "queued"
    assert api.count("storages") == api.count("runs") == 1


def test_what_was_deleted_does_not_come_back(api: Api):
    project = api.project()
    made = make(api, project)
    api.call("DELETE", f"{IMPORT}/{made['id']}", 204)
    error = make(api, project, status=400)
    assert "is not there any more" in error["validation_errors"]["Idempotency-Key"][0]
    assert api.count("storages") == 0


def test_of_a_project_that_was_taken_away_nothing_is_shown(api: Api):
    project = api.project()
    member = api.as_user(project)
    made = make(member, project, title="Theirs")
    stored = api.ctx.users.get(2)
    assert stored
    api.ctx.documents.commit([api.ctx.users.update(stored, replace(stored.value, projects=frozenset()))])
    error = make(member, project, status=400, title="Theirs")
    assert "is not there any more" in error["validation_errors"]["Idempotency-Key"][0]
    assert api.get(f"{IMPORT}/{made['id']}")["title"] == "Theirs"


def test_after_a_day_the_key_is_free_again_swept_or_not(api: Api):
    project = api.project()
    now = [api.ctx.clock()]
    api.ctx.clock = lambda: now[0]
    first = make(api, project)
    now[0] += DAY - 1
    sweep(api.ctx)
    assert make(api, project)["id"] == first["id"]
    now[0] += 2
    second = make(api, project)
    assert second["id"] != first["id"]
    sweep(api.ctx)
    assert make(api, project)["id"] == second["id"]
    now[0] += DAY + 1
    sweep(api.ctx)
    assert api.count(idempotency.COLLECTION) == 0
    assert make(api, project)["id"] not in {first["id"], second["id"]}


def test_the_sweep_removes_no_more_than_it_may(api: Api, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(idempotency, "SLICE", 2)
    for number in range(5):
        once = idempotency.Once(api.ctx, user=1, route="POST /x", key=str(number), body={})
        assert once.made() is None
        api.ctx.documents.commit([once.note(number)])
    later = api.ctx.clock() + DAY + 1
    api.ctx.clock = lambda: later
    assert [idempotency.forget(api.ctx, 3), idempotency.forget(api.ctx, 3), idempotency.forget(api.ctx, 3)] == [3, 2, 0]


@pytest.mark.parametrize("path", [IMPORT, EXPORT])
def test_a_key_is_a_text_of_some_length(api: Api, path: str):
    body = {"project": api.project(), "path": api.folder()}
    error = api.post(path, body, 400, headers={"Idempotency-Key": "x" * 201})
    assert list(error["validation_errors"]) == ["Idempotency-Key"]
    made = [
        api.post(path, body, 201, headers={"Idempotency-Key": key})["id"] for key in ("x" * 200, "two words", "", "")
    ]
    assert len(set(made)) == 4, "an empty key is none"


def test_keys_and_bodies_are_not_kept(api: Api, settings: Settings):
    """A body may hold a secret; with a note of it nobody can try which one it was, since its key is not kept."""
    project = api.project()
    make(api, project, title="kept title", aws_secret_access_key="canary-in-the-body")
    files = [path.read_bytes() for path in Path(settings.data_dir).iterdir() if path.is_file()]
    assert any(b"kept title" in content for content in files)
    for text in (*KEY.values(), "canary-in-the-body"):
        assert not any(text.encode() in content for content in files)


@pytest.mark.parametrize("used", [False, True])
def test_of_two_notes_at_once_one_is_refused(api: Api, used: bool):
    """Whatever else the commits hold."""

    def once() -> idempotency.Once:
        return idempotency.Once(api.ctx, user=1, route="POST /x", key="k", body={})

    if used:
        api.ctx.documents.commit([once().note(1)])
        later = api.ctx.clock() + DAY + 1
        api.ctx.clock = lambda: later
    one, other = once(), once()
    assert one.made() is other.made() is None
    api.ctx.documents.commit([one.note(2)])
    with pytest.raises(CommitRefusedError):
        api.ctx.documents.commit([other.note(3)])
    assert other.made() == 2
