"""A process on documents of a newer release refuses to work and says so. It begins once the documents are for it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from infra.processes import ROOT
from shared import app
from shared.adapters.documents.indexes import load_indexes
from shared.adapters.documents.sqlite import SqliteDocuments
from shared.errors import SchemaTooNewError
from shared.model.schema import FIRST, VERSION, Schema
from shared.ports import Create, Delete, Query, Ref
from shared.records.schema import CURRENT, Schemas
from shared.settings import Settings
from tests.api.test_functions_framework import deployed

NEWER = {"version": VERSION + 2, "needs": VERSION + 1, "of_a_newer_release": "kept"}
SCHEMA = Ref("schema", CURRENT)


def opened(folder: Path) -> SqliteDocuments:
    """The documents of a data directory, between two processes."""
    folder.mkdir(exist_ok=True)
    return SqliteDocuments(str(folder / "documents.sqlite3"), indexes=load_indexes(app.INDEXES))


def build(folder, documents):
    return app.build(Settings(data_dir=str(folder), token="t"), lambda _ctx, _delivery: 200, documents=documents)


def test_documents_of_a_newer_release_are_not_touched(documents, tmp_path):
    documents.commit([Create(SCHEMA, NEWER)])

    with pytest.raises(SchemaTooNewError, match=f"need schema {VERSION + 1}, this release knows {VERSION}") as error:
        build(tmp_path, documents)

    assert "Deploy that release again" in str(error.value)
    assert NEWER == documents.get(SCHEMA).data
    assert [] == documents.query(Query(collection="tokens")) == documents.query(Query(collection="users"))


def test_documents_that_a_newer_release_only_added_to_are_worked_on(documents, tmp_path):
    """What people go back to, after a migration that the release before can live with."""
    documents.commit([Create(SCHEMA, NEWER | {"needs": VERSION})])

    ctx = build(tmp_path, documents)
    app.close(ctx)

    assert VERSION + 2 == ctx.schema_version


def test_new_documents_are_of_this_release(tmp_path):
    documents = opened(tmp_path)

    app.close(build(tmp_path, documents))

    documents = opened(tmp_path)
    assert Schema(version=VERSION) == Schemas(documents).current().value
    documents.close()


def test_documents_without_a_number_are_of_the_first_release(tmp_path):
    documents = opened(tmp_path)
    app.close(build(tmp_path, documents))
    documents = opened(tmp_path)
    documents.commit([Delete(SCHEMA, None)])

    ctx = build(tmp_path, documents)

    assert FIRST == ctx.schema_version
    assert Schemas(documents).current() is None  # the sweep writes it
    app.close(ctx)


def test_the_local_stack_says_so_and_ends(tmp_path):
    documents = opened(tmp_path)
    documents.commit([Create(SCHEMA, NEWER)])
    documents.close()

    command = [sys.executable, "-m", "infra.local", "--port", "0", "--data-dir", str(tmp_path)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)

    assert 1 == ended.returncode
    assert "written by a newer release" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    ("target", "path", "accepted"),
    [
        ("api", "/api/projects/", 200),
        ("sync_chunk", "/", 200),
        ("export_annotations", "/", 200),
        ("deliver_webhook", "/", 200),
        ("add_records", "/", 200),
        ("sweep", "/", 200),
        ("bucket_event", "/", 400),
        ("bucket_webhook", "/", 403),
    ],
)
def test_a_function_of_an_earlier_release_answers_503(tmp_path, target, path, accepted):
    """The queue, the timer and buckets try again, and it serves without a start once it can."""
    with deployed(target, tmp_path / "data", "option") as client:

        def ask(**headers):
            body = None if target == "api" else b"no permit"
            return client.request("GET" if body is None else "POST", path, content=body, headers=headers)

        documents = opened(tmp_path / "data")
        documents.commit([Create(SCHEMA, NEWER)])
        documents.close()
        refused = [ask(), ask(Origin="https://example.org")]
        documents = opened(tmp_path / "data")
        documents.commit([Delete(SCHEMA, None)])
        documents.close()
        served = ask()

    assert [503, 503] == [answer.status_code for answer in refused]
    if target in {"api", "bucket_event", "bucket_webhook"}:
        for answer in refused:
            assert "written by a newer release" in json.loads(answer.content)["detail"]
            assert "2" == answer.headers["Retry-After"]
    assert accepted == served.status_code
