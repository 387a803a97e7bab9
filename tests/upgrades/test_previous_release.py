"""State that release 0.1.0 left when it was killed in the middle of nearly everything: this release goes on from it.

It was recorded by `tests/upgrades/record.py`, from the release's own code.
"""

import hashlib
import json
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest

from infra.bench.s3_process import s3_server
from infra.local import running
from shared.adapters.documents.sqlite import SqliteDocuments
from shared.model.schema import FIRST, VERSION
from shared.ports import Create, Delete, Filter, Query, Ref, Update
from tests.indexes import CheckedIndexes
from tests.receiver import receiving
from tests.stack import Api
from tests.upgrades import places, state
from tests.upgrades.record import until

RELEASE = Path(__file__).parent / "0.1.0"
EXPECTED = json.loads((RELEASE / "expected.json").read_text())
SELDOM = 3600.0


@pytest.fixture(scope="module")
def s3():
    with s3_server() as running_one:
        yield running_one


@pytest.fixture
def receiver():
    with receiving() as one:
        yield one


@pytest.fixture(params=["sqlite", pytest.param("firestore", marks=pytest.mark.emulator)])
def left(request, tmp_path, s3, receiver):
    """The state in a data directory, with its buckets; `start` starts this release on it, on either platform."""
    data, root = tmp_path / "data", tmp_path / "root"
    s3.reset(everything=True)
    places.fill(s3, root)
    for key, body in EXPECTED["out"].items():
        s3.put(places.OUT, key, body)
    state.restore(RELEASE, data)
    moved = {state.S3: s3.endpoint, state.RECEIVER: receiver.url, state.ROOT: str(root)}
    state.move(data, EXPECTED["secret_key"], moved)

    def start(**settings):
        store = None
        if request.param == "firestore":
            store = CheckedIndexes(request.getfixturevalue("new_firestore")())
            _copy(data, store)
        known = {"secret_key": EXPECTED["secret_key"], "token": EXPECTED["token"]}
        quick = {"storage_in_progress_timer": 0.2, "sweep_interval": 0.2, "rewake_seconds": 0.2, "event_window": 0.2}
        return running(data, files_root=root, store=store, **known, **(quick | settings))

    return SimpleNamespace(data=data, start=start, moved=moved)


@pytest.fixture
def stack(left):
    with left.start() as one:
        yield one


@pytest.fixture
def api(stack):
    with closing(Api(stack.url, stack.token)) as one:
        yield one


def _copy(data, store):
    with closing(state.opened(data)) as documents:
        creates = [Create(document.ref, document.data) for document in state.everything(data, documents)]
    for first in range(0, len(creates), 100):
        store.commit(creates[first : first + 100])


def answer(api, path):
    return api.http.get(path).json()


def kept(was, now):
    """What of an earlier answer is no longer so: keys may be added, none changed or removed. Ages grow."""
    if isinstance(was, dict) and isinstance(now, dict):
        return [
            bad for key, value in was.items() if key != "created_ago" for bad in kept(value, now.get(key, "missing"))
        ]
    if isinstance(was, list) and isinstance(now, list) and len(was) == len(now):
        return [bad for one, other in zip(was, now, strict=True) for bad in kept(one, other)]
    return [] if was == now else [(was, now)]


def storage(name):
    return EXPECTED["storages"][name]


def test_the_recording_was_killed_in_the_middle(tmp_path):
    """Whatever else is tested here had an end to come to."""
    state.restore(RELEASE, tmp_path / "data")
    with closing(state.opened(tmp_path / "data")) as documents:
        found = list(state.everything(tmp_path / "data", documents))
    tasks = [document.data for document in found if document.ref.collection == "tasks"]
    owed = {name for name in ("dues", "outbox", "trash") if any(it.ref.collection == name for it in found)}

    assert 0 < len([it for it in tasks if it["key"].startswith("lot/")]) < places.MANY_OBJECTS
    assert 0 < len([it for it in tasks if it["key"].startswith("all/")]) < places.RECORD_OBJECTS
    assert [True] == [it.data["dirty"] for it in found if it.ref.collection == "hints"]
    assert 1 == len([it for it in found if it.data.get("active") and it.ref.collection == "runs"])
    assert {"dues", "outbox", "trash"} == owed
    assert not [it for it in found if it.ref.collection == "schema"]


def test_all_is_answered_as_it_was(left):
    """Before anything goes on: the buckets are as slow as they were when the process was killed."""
    with left.start(sweep_interval=SELDOM) as stack, closing(Api(stack.url, stack.token)) as api:
        for path, recorded in EXPECTED["answers"].items():
            text = json.dumps(recorded)
            for before, after in left.moved.items():
                text = text.replace(before, after)
            assert [] == kept(json.loads(text), answer(api, path)), path


def test_snapshots_read_the_same(api):
    for path, digest in EXPECTED["manifests"].items():
        assert digest == hashlib.sha256(api.http.get(path).content).hexdigest()


def test_tokens_let_in_who_they_did(stack):
    tokens = EXPECTED["tokens"]
    with httpx.Client(base_url=stack.url) as http:
        access = http.post("/api/token/refresh/", json={"refresh": tokens["refresh"]}).json()["access"]
        for header in (f"Bearer {access}", f"Token {tokens['legacy']}"):
            me = http.get("/api/current-user/whoami", headers={"Authorization": header})
            assert (200, tokens["user"]) == (me.status_code, me.json()["id"])
            seen = http.get("/api/projects/", headers={"Authorization": header}).json()["results"]
            assert [EXPECTED["projects"]["pictures"]] == [project["id"] for project in seen]


def test_an_interrupted_sync_ends_with_a_task_per_object_and_the_next_is_a_no_op(api, s3):
    many = storage("many")

    ended = api.wait(many)
    ids = {
        task["id"]: task["storage_filename"]
        for task in api.tasks(many["project"])
        if str(task["storage_filename"]).startswith("lot/")
    }
    s3.reset()
    api.sync(many)
    again = api.wait(many)

    assert ("completed", places.MANY_OBJECTS, None) == (ended["status"], ended["last_sync_count"], ended["traceback"])
    assert sorted(s3.keys(places.MANY)) == sorted(ids.values())
    assert ("completed", 0) == (again["status"], again["last_sync_count"])
    assert places.MANY_OBJECTS == again["meta"]["tasks_existed"]
    assert "get" not in s3.stats()["ops"]


@pytest.mark.parametrize("name", ["rows", "files", "pictures"])
def test_what_was_synced_is_not_synced_again(api, name):
    """Also where somebody labelled, edited and deleted: what a user deleted stays so."""
    one = storage(name)
    if name == "pictures":
        until(lambda: _hinted(api) and api.wait(storage("many")))
    before = {task["id"] for task in api.tasks(one["project"])}

    api.sync(one)
    ended = api.wait(one)

    assert ended["status"] == ("completed_with_errors" if name == "rows" else "completed")
    assert 0 == ended["last_sync_count"]
    assert before == {task["id"] for task in api.tasks(one["project"])}
    assert 404 == api.http.get(f"/api/tasks/{EXPECTED['deleted_task']}/").status_code


def _hinted(api):
    tasks = api.tasks(storage("pictures")["project"])
    return [task for task in tasks if task["storage_filename"] == places.NEW_PICTURE]


def test_a_hint_is_honoured(api):
    """The object that the bucket told of, whose message still lay in the queue."""
    [task] = until(lambda: _hinted(api))

    assert "completed" == api.read(storage("pictures"))["status"]
    assert storage("pictures")["project"] == task["project"]


def test_an_addition_ends_with_a_task_per_record(api):
    done = until(lambda: (found := answer(api, EXPECTED["addition"]))["finished_at"] and found)

    tasks = api.tasks(EXPECTED["projects"]["added"])
    assert ("completed", places.RECORD_OBJECTS, places.RECORD_OBJECTS) == (
        done["state"],
        done["selected"],
        done["created"],
    )
    assert places.RECORD_OBJECTS == len(tasks) == len({task["record"]["id"] for task in tasks})


def test_a_webhook_is_told_what_it_was_owed(stack, receiver):
    post = receiver.next()

    assert EXPECTED["delivery"] == post.headers["X-Sluice-Delivery"]
    assert ("ANNOTATION_UPDATED", EXPECTED["annotation"]) == (post.json["action"], post.json["annotation"]["id"])
    assert "Bearer of-the-receiver" == post.headers["Authorization"]  # kept encrypted until now


def test_a_target_is_given_what_it_was_owed(api, s3):
    key = f"out/{EXPECTED['annotation']}"

    body = until(lambda: (found := json.loads(s3.get(places.OUT, key)))["lead_time"] == 7.5 and found)

    assert [] == body["result"]
    assert [key] == s3.keys(places.OUT)
    api.sync(storage("target"))
    assert "completed" == api.wait(storage("target"))["status"]


def test_a_failed_sync_is_repeated_once_its_bucket_is_there(api, s3):
    s3.fill(places.LOST, 3)
    lost = storage("lost")
    assert ("failed", True) == ((was := api.read(lost))["status"], "NoSuchBucket" in was["traceback"])

    api.sync(lost)

    assert ("completed", 3) == ((now := api.wait(lost))["status"], now["last_sync_count"])


def test_a_sync_that_was_due_is_started(left):
    with closing(state.opened(left.data)) as documents:
        ref = Ref("storages", str(storage("files")["id"]))
        assert documents.get(ref).data["next_sync"] > 0
        documents.commit([Update(ref, {"next_sync": 1.0}, None)])
    with left.start() as stack, closing(Api(stack.url, stack.token)) as api:
        until(
            lambda: (
                (now := api.read(storage("files")))["meta"].get("trigger") == "schedule"
                and now["status"] == "completed"
            )
        )


def test_what_was_deleted_goes(left):
    with closing(state.opened(left.data)) as documents:
        [trash] = documents.query(Query(collection="trash", order=("since",)))
        [gone] = trash.data["maps"]
        chunks = Query(collection="chunks", where=(Filter("map", "==", gone),), order=("start",))
        assert documents.query(chunks)
    with left.start() as stack:
        documents = stack.ctx.documents
        until(lambda: not documents.query(Query(collection="trash", order=("since",))))
        assert [] == documents.query(chunks)


def test_the_documents_become_those_of_this_release(left):
    """One storage is of a time before notifications, as 0.1.0 could still have them."""
    with closing(state.opened(left.data)) as documents:
        old = documents.get(Ref("storages", str(storage("files")["id"])))
        documents.commit([Delete(old.ref, None)])
        before = {name: value for name, value in old.data.items() if name != "listens_to"}
        documents.commit([Create(old.ref, before)])
        assert None is documents.get(Ref("schema", "current"))
    with left.start() as stack:
        documents = stack.ctx.documents
        until(lambda: (found := documents.get(Ref("schema", "current"))) and found.data["version"] == VERSION)

        found = documents.query(Query(collection="storages", limit=500))
        assert FIRST < VERSION == stack.ctx.schema_version
        assert not [document.ref for document in found if "listens_to" not in document.data]
        assert "" == documents.get(old.ref).data["listens_to"]


def test_the_container_is_that_of_the_release(tmp_path):
    """The file itself, not only what is in it."""
    state.restore(RELEASE, tmp_path / "data")
    with closing(SqliteDocuments(str(tmp_path / "data" / "documents.sqlite3"), indexes=())) as documents:
        assert 7 == len(documents.query(Query(collection="gates", limit=500)))
