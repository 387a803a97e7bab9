"""Which adapters the settings choose, and what is imported for them."""

import subprocess
import sys

import pytest

from shared import app
from shared.adapters.documents.sqlite import SqliteDocuments
from shared.settings import Settings


def test_documents_are_in_sqlite_unless_the_settings_say_more(tmp_path):
    documents = app.open_documents(Settings.from_env({}, data_dir=str(tmp_path)))
    assert isinstance(documents, SqliteDocuments)
    documents.close()


def test_documents_in_firestore(monkeypatch):
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", "127.0.0.1:1")
    env = {"SLUICE_DOCUMENTS": "firestore", "SLUICE_GOOGLE_PROJECT": "project", "SLUICE_FIRESTORE_DATABASE": "named"}
    documents = app.open_documents(Settings.from_env(env))
    assert type(documents).__name__ == "FirestoreDocuments"
    assert documents._names.database == "projects/project/databases/named"
    documents.close()


@pytest.mark.parametrize(
    ("env", "message"),
    [
        ({"SLUICE_DOCUMENTS": "postgres"}, "write sqlite or firestore"),
        ({"SLUICE_DOCUMENTS": "firestore"}, "SLUICE_GOOGLE_PROJECT"),
    ],
)
def test_settings_that_name_no_store(env, message):
    with pytest.raises(ValueError, match=message):
        app.open_documents(Settings.from_env(env))


def test_the_sdk_of_firestore_is_imported_only_for_it():
    script = "import sys, shared.app; sys.exit(any(name.startswith(('grpc', 'google.cloud.')) for name in sys.modules))"
    subprocess.run([sys.executable, "-c", script], check=True)


def test_a_deployment_brings_its_secrets(tmp_path):
    """Many processes share one store, so none may make up a key or a token."""
    settings = Settings.from_env(
        {"SLUICE_DOCUMENTS": "firestore", "SLUICE_GOOGLE_PROJECT": "p"}, data_dir=str(tmp_path)
    )
    with pytest.raises(ValueError, match="SLUICE_SECRET_KEY and SLUICE_TOKEN"):
        app.build(settings, lambda _ctx, _delivery: 200)
