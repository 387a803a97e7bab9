"""Which object a file lies beside."""

import pytest

from shared.model.ledger import ObjectInfo
from shared.model.sidecars import group, is_sidecar, paired, sidecar_of
from shared.model.task import named_data


@pytest.mark.parametrize(
    ("key", "sidecar"),
    [
        ("x.jpg", "x.json"),
        ("deep/x.tar.gz", "deep/x.tar.json"),
        ("a.b/x", "a.b/x.json"),
        (".hidden", ".hidden.json"),
        (".hidden.png", ".hidden.json"),
        ("x.", "x.json"),
        ("dir/.png", "dir/.png.json"),
    ],
)
def test_the_sidecar_of_an_object(key: str, sidecar: str):
    assert sidecar_of(key) == sidecar
    assert is_sidecar(sidecar)
    assert not is_sidecar(key)
    if key.rpartition("/")[2].count(".") and not key.endswith(("hidden", "/.png")):
        assert group(key) == group(sidecar)
        assert key.startswith(group(key))


def test_pairs():
    infos = [ObjectInfo(key, 1, f"v-{key}", 0.0) for key in ("a.jpg", "a.json", "a.png", "b.jpg", "c.json")]
    asked: list[str] = []
    found = paired(infos, lambda key: asked.append(key))  # type: ignore[func-returns-value]
    assert [(info.key, info.version) for info in found.listed] == [
        ("a.jpg", "v-a.jpg|v-a.json"),
        ("a.png", "v-a.png|v-a.json"),
        ("b.jpg", "v-b.jpg"),
    ]
    assert {key: info.key for key, info in found.sidecars.items()} == {"a.jpg": "a.json", "a.png": "a.json"}
    assert asked == ["b.json"]


def test_the_address_has_the_projects_name():
    data = {"$undefined$": "s3://b/k", "image": "else", "n": 1}
    assert named_data(data, "image") == {"image": "s3://b/k", "n": 1}
    assert named_data(data, None) == data
    assert list(named_data({"$undefined$": "u", "n": 1}, "image")) == ["image", "n"]
