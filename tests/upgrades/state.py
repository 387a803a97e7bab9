"""State as a release left it, as text that can be compared; and back again, with its buckets at other addresses."""

import hashlib
import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet

from shared.adapters.documents.indexes import load_indexes
from shared.adapters.documents.sqlite import SqliteDocuments
from shared.app import INDEXES
from shared.ports import Document, DocumentStore, Query, Ref, Update

FILES = ("documents", "queue")
S3, RECEIVER, ROOT = "http://127.0.0.1:9000", "http://127.0.0.1:9001", "/srv/sluice"
"""Where the state says that things are."""


def dump(data: Path, into: Path) -> None:
    """Writes the databases of a data directory, whose server was killed or has ended, as SQL."""
    for name in FILES:
        with closing(sqlite3.connect(data / f"{name}.sqlite3")) as connection:
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            # Indexes are made anew when a file is opened.
            lines = [line for line in connection.iterdump() if not line.startswith("CREATE INDEX")]
        (into / f"{name}.sql").write_text("\n".join([*lines, f"PRAGMA user_version = {version};", ""]))


def restore(state: Path, data: Path) -> None:
    """Makes the databases of a data directory again."""
    data.mkdir(parents=True)
    for name in FILES:
        with closing(sqlite3.connect(data / f"{name}.sqlite3")) as connection:
            connection.executescript((state / f"{name}.sql").read_text())


def everything(data: Path, documents: DocumentStore) -> Iterator[Document]:
    """All documents of a data directory."""
    with closing(sqlite3.connect(data / "documents.sqlite3")) as connection:
        names = connection.execute("SELECT collection, id FROM documents ORDER BY 1, 2").fetchall()
    for name in names:
        document = documents.get(Ref(*name))
        assert document is not None
        yield document


def opened(data: Path) -> SqliteDocuments:
    return SqliteDocuments(str(data / "documents.sqlite3"), indexes=load_indexes(INDEXES))


def move(data: Path, key: str, places: Mapping[str, str]) -> None:
    """Rewrites addresses in documents, in their encrypted fields too, and the fingerprints of what is where."""
    with closing(opened(data)) as documents:
        vault = Fernet(key)
        for document in list(everything(data, documents)):
            moved = {name: _moved(value, vault, places) for name, value in document.data.items()}
            changes = {name: value for name, value in moved.items() if value != document.data[name]}
            if changes:
                documents.commit([Update(document.ref, changes, document.revision)])
        for storage in documents.query(Query(collection="storages", limit=500)):
            gate = documents.get(Ref("gates", storage.ref.id))
            assert gate is not None
            location = location_of(storage)
            documents.commit([Update(gate.ref, {"location": location}, gate.revision)])


def location_of(storage: Document) -> str:
    """The fingerprint of a storage's place, as its gate has it, by the rule of release 0.1.0."""
    config = json.loads(storage.data["config"])
    place = {
        "s3": lambda: ("s3", config["s3_endpoint"], config["bucket"]),
        "localfiles": lambda: ("localfiles", config["path"]),
    }[storage.data["type"]]()
    return hashlib.blake2b(repr(place).encode(), digest_size=8).hexdigest()


def _moved(value: Any, vault: Fernet, places: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        for before, after in places.items():
            value = value.replace(before, after)
    elif isinstance(value, list):
        return [_moved(one, vault, places) for one in value]
    elif isinstance(value, bytes) and value.startswith(b"gAAAA"):
        opened = vault.decrypt(value).decode()
        moved = _moved(opened, vault, places)
        return value if moved == opened else vault.encrypt(moved.encode())
    elif isinstance(value, bytes):
        for before, after in places.items():
            value = value.replace(before.encode(), after.encode())
    return value
