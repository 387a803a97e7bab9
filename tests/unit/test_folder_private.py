"""A storage never sees Sluice's own data, wherever the folder that holds it lies."""

import pytest

from shared.adapters.objects.folder import FolderObjects
from shared.adapters.objects.opening import allowed_folder
from shared.errors import ObjectNotFoundError, StoreError
from shared.settings import PRIVATE_MARK, Settings


@pytest.fixture
def folder(tmp_path):
    own = tmp_path / "work" / ".sluice"
    (own / "deeper").mkdir(parents=True)
    for name in (PRIVATE_MARK, "secret.key", "deeper/token"):
        (own / name).write_text("x")
    (tmp_path / "work" / "a.json").write_text("{}")
    (tmp_path / "work" / "link").symlink_to(own / "secret.key")
    return tmp_path / "work"


def test_it_is_not_listed(folder):
    listed = [
        info.key for page in FolderObjects(str(folder), uri_prefix="").pages() for info in page if not info.problem
    ]

    assert "a.json" in listed
    assert not [key for key in listed if "sluice" in key]


@pytest.mark.parametrize("key", [".sluice/secret.key", ".sluice/deeper/token", "link"])
def test_it_is_not_read(folder, key):
    store = FolderObjects(str(folder), uri_prefix="")

    with pytest.raises(ObjectNotFoundError):
        store.stat(key)
    with pytest.raises(ObjectNotFoundError):
        store.read(key, "1-1")


@pytest.mark.parametrize("below", [".sluice", ".sluice/deeper"])
def test_it_is_not_opened(folder, below):
    settings = Settings(local_files_document_root=str(folder.parent), local_files_serving_enabled=True)

    with pytest.raises(StoreError, match="data of Sluice itself"):
        allowed_folder(settings, str(folder / below))
