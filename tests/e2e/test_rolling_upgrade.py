"""While a release is deployed, processes of the one before still work: on the same documents, the same queue, a run."""

import random
import signal
import sqlite3
import threading
import zipfile
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import httpx
import pytest

from infra.bench.s3_process import s3_server
from infra.emulators.cloud_tasks.oidc import Issuer
from infra.function_process import CHECKOUT, Code, FunctionProcess
from shared.adapters.documents.firestore import FirestoreDocuments
from shared.model.schema import VERSION
from shared.ports import Create, Delete, Query, Ref
from tests.e2e.deployment import ROOT, TIMER_ACCOUNT, TOKEN, Deployment, cloud_tasks_process
from tests.emulators import firestore_emulator  # noqa: F401
from tests.stack import Api

BEFORE = ROOT / "tests" / "upgrades" / "0.1.0" / "functions.zip"
"""What `python -m infra.package` made of release 0.1.0, packed."""
AUDIENCE = "whoever-works-on-these-documents"
NAMES = ("sync_chunk", "sweep", "api")
OBJECTS, KILLS = 1_500, 4

pytestmark = pytest.mark.emulator


@pytest.fixture
def release_before(tmp_path) -> Code:
    """The code of the release before, as it was deployed."""
    folder = tmp_path / "before"
    with zipfile.ZipFile(BEFORE) as release:
        release.extractall(folder)
    return Code(folder, CHECKOUT.command, CHECKOUT.env)


class Both:
    """Functions of two releases. Each worker sends its lanes on to the other one, so a run is always of both."""

    def __init__(self, folder: Path, firestore, before: Code, endpoint: str, keys_url: str) -> None:
        env = {
            "SLUICE_CALLER_AUDIENCE": AUDIENCE,
            "SLUICE_FIRESTORE_DATABASE": "rolling",
            "SLUICE_CHUNK_TARGET": "25",
            "SLUICE_SLICE_SECONDS": "1",
            "SLUICE_SCHEMA_SETTLE_SECONDS": "2",
            "STORAGE_IN_PROGRESS_TIMER": "1",
        }
        self.folders = {name: folder / name for name in ("old", "new")}
        for one in self.folders.values():
            one.mkdir()
        self.old = Deployment(self.folders["old"], firestore, before, **env)
        self.new = Deployment(
            self.folders["new"], firestore, **env | {"SLUICE_SECRET_KEY": self.old.env["SLUICE_SECRET_KEY"]}
        )
        self.issuer, self.swept = Issuer(folder / "key.pem"), dict[int, str]()
        for one, other in ((self.old, self.new), (self.new, self.old)):
            one.tell(endpoint, keys_url)
            one.env["SLUICE_SYNC_CHUNK_URL"] = other.functions["sync_chunk"].url

    def start(self) -> tuple[Api, Api]:
        functions = [one.functions[name] for one in (self.old, self.new) for name in NAMES]
        for function in functions:
            function.start()
        for function in functions:
            function.wait()
        return Api(self.old.functions["api"].url, TOKEN), Api(self.new.functions["api"].url, TOKEN)

    @contextmanager
    def sweeping(self) -> Iterator[None]:
        """The timer of either release, in turns."""
        stop = threading.Event()

        def loop() -> None:
            while not stop.wait(0.7):
                for one in (self.old, self.new):
                    token = self.issuer.token(TIMER_ACCOUNT, AUDIENCE)
                    headers = {"Authorization": f"Bearer {token}"}
                    answer = httpx.post(one.functions["sweep"].url, headers=headers, timeout=60)
                    self.swept[answer.status_code] = answer.text or _log(one.functions["sweep"])[-2000:]

        thread = threading.Thread(target=loop)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    def end(self) -> None:
        for one in (self.old, self.new):
            for name in NAMES:
                one.functions[name].end(signal.SIGKILL)


@pytest.fixture
def both(firestore_emulator, release_before, tmp_path):  # noqa: F811
    with cloud_tasks_process(tmp_path / "queue", tmp_path / "key.pem") as (endpoint, keys_url):
        one = Both(tmp_path, firestore_emulator, release_before, endpoint, keys_url)
        try:
            yield one
        finally:
            one.end()


@pytest.fixture
def documents(firestore_emulator, monkeypatch):  # noqa: F811
    for name, value in firestore_emulator.env.items():
        monkeypatch.setenv(name, value)
    store = FirestoreDocuments("sluice-test", database="rolling")
    yield store
    store.close()


def test_a_run_of_two_releases_at_once(both, documents, tmp_path):
    """Killed in turns, migrated meanwhile: a task per object, none twice, and either release says the same of it."""
    rng, pause = random.Random(20_261_124), threading.Event()
    with s3_server() as s3, ExitStack() as stack:
        s3.fill("bucket", OBJECTS, prefix="images/")
        # Both at once: the ports that were found free are taken before anybody else finds them free.
        old, new = both.start()
        stack.callback(old.close)
        stack.callback(new.close)
        project = old.project()
        storage = old.s3_storage(project, s3.endpoint, prefix="images")
        _of_an_earlier_time(documents, storage["id"])
        hold = {"action": "hold", "op": "list", "count": -1}
        s3.faults(hold | {"skip": 3})
        old.sync(storage)
        with both.sweeping():
            for number in range(KILLS):
                # So few pages are let through in each life that none of them can be the last.
                s3.faults(hold | {"skip": 4})
                pause.wait(rng.uniform(0.5, 1.5))
                api, other = ((old, new), (new, old))[number % 2]
                assert "in_progress" == api.read(storage)["status"] == other.read(storage)["status"]
                worker = (both.old, both.new)[number % 2].functions["sync_chunk"]
                worker.end(signal.SIGKILL)
                s3.faults(hold)
                worker.start()
                worker.wait()
            s3.faults()

            ended = new.wait(storage, 120)
            old.sync(storage)
            again = new.wait(storage, 60)
            for _ in range(300):
                schema = documents.get(Ref("schema", "current"))
                if schema and schema.data["version"] == VERSION:
                    break
                pause.wait(0.1)
            new.sync(storage)
            last = old.wait(storage, 60)

        keys = [task["storage_filename"] for task in new.tasks(project)]
    assert ("completed", OBJECTS, None) == (ended["status"], ended["last_sync_count"], ended["traceback"])
    assert [f"images/{number:08d}.jpg" for number in range(OBJECTS)] == sorted(keys)
    assert [("completed", 0, OBJECTS)] * 2 == [
        (one["status"], one["last_sync_count"], one["meta"]["tasks_existed"]) for one in (again, last)
    ]
    assert {200} == set(both.swept), both.swept
    assert VERSION == schema.data["version"]
    assert [""] == [found.data.get("listens_to") for found in documents.query(Query(collection="storages"))]
    served = Counter(_answered(tmp_path / "queue"))
    done = [served[one.functions["sync_chunk"].url] for one in (both.old, both.new)]
    print(f"\nmessages answered by the old worker and the new one: {done}")
    assert min(done) >= KILLS
    assert not [one for one in (both.old, both.new) for f in one.functions.values() if "message failed" in _log(f)]


def _answered(queue: Path) -> Iterator[str]:
    """Of each message that was acknowledged, who took it."""
    for file in queue.rglob("*"):
        if file.is_file() and file.read_bytes()[:6] == b"SQLite":
            with closing(sqlite3.connect(file)) as connection:
                yield from (url for (url,) in connection.execute("SELECT target FROM message WHERE gone IS NOT NULL"))


def _log(function: FunctionProcess) -> str:
    return function.log.read_text() if function.log.exists() else ""


def _of_an_earlier_time(documents, number):
    """A storage that was made before storages could honour notifications."""
    found = documents.get(Ref("storages", str(number)))
    documents.commit([Delete(found.ref, found.revision)])
    data = {name: value for name, value in found.data.items() if name != "listens_to"}
    documents.commit([Create(found.ref, data)])
