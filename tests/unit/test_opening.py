"""Opening buckets: what is kept, under which name, and which folders may be opened."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from shared.adapters.objects import opening
from shared.adapters.objects.opening import SERVING_DISABLED, Stores
from shared.errors import StoreError
from shared.model.storage import Storage
from shared.settings import Settings

KEYS = {"aws_access_key_id": "id-of-a-key", "aws_secret_access_key": "its-secret"}


def storage(kind: str, **config: Any) -> Storage:
    return Storage(id=1, type=kind, project=1, created_at=0.0, config=config, secrets=b"", meta={})


def s3(**config: Any) -> Storage:
    return storage("s3", bucket="pictures", s3_endpoint="http://127.0.0.1:1", **config)


def test_a_store_is_kept_for_equal_settings_and_credentials():
    stores = Stores(Settings())
    store = stores.open(s3(title="a"), KEYS)
    assert stores.open(replace(s3(title="b", prefix="x"), id=2), dict(KEYS)) is store
    others = [
        stores.open(s3(), {**KEYS, "aws_secret_access_key": "another"}),
        stores.open(s3(region_name="eu-west-1"), KEYS),
        stores.open(storage("s3", bucket="others", s3_endpoint="http://127.0.0.1:1"), KEYS),
    ]
    assert len({id(other) for other in [store, *others]}) == 4
    assert all("secret" not in name and "id-of" not in name for name in stores._open)
    stores.close()
    assert not stores._open


def test_the_longest_unused_is_dropped(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(opening, "MAX_OPEN", 2)
    stores = Stores(Settings())
    first = stores.open(s3(), {})
    stores.open(s3(region_name="a"), {})
    assert stores.open(s3(), {}) is first
    stores.open(s3(region_name="b"), {})
    assert stores.open(s3(), {}) is first
    assert len(stores._open) == 2


@pytest.mark.parametrize("hostname", ["", "https://sluice.example.org/"])
def test_addresses_of_local_files_are_relative_to_the_root(tmp_path: Path, hostname: str):
    folder = tmp_path / "a b" / "100%"
    folder.mkdir(parents=True)
    settings = Settings(local_files_document_root=str(tmp_path), local_files_serving_enabled=True, hostname=hostname)
    store = Stores(settings).open(storage("localfiles", path=str(folder)), {})
    assert store.uri("c d.png") == f"{hostname.rstrip('/')}/data/local-files/?d=a%20b/100%25/c%20d.png"


def test_a_link_to_the_root_is_the_root(tmp_path: Path):
    (tmp_path / "real" / "in").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    for root in ("real", "link"):
        settings = Settings(local_files_document_root=str(tmp_path / root), local_files_serving_enabled=True)
        for path in ("real/in", "link/in"):
            store = Stores(settings).open(storage("localfiles", path=str(tmp_path / path)), {})
            assert store.uri("x") == "/data/local-files/?d=in/x"


def test_a_folder_that_only_begins_like_the_root_is_outside(tmp_path: Path):
    (tmp_path / "files").mkdir()
    (tmp_path / "files-of-others").mkdir()
    settings = Settings(local_files_document_root=str(tmp_path / "files"), local_files_serving_enabled=True)
    with pytest.raises(StoreError, match="must be a subdirectory"):
        Stores(settings).open(storage("localfiles", path=str(tmp_path / "files-of-others")), {})


def test_serving_must_be_enabled(tmp_path: Path):
    with pytest.raises(StoreError) as raised:
        Stores(Settings(local_files_document_root="/")).open(storage("localfiles", path=str(tmp_path)), {})
    assert raised.value.message == SERVING_DISABLED
