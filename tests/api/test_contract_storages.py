"""The recorded shapes of storages: every type, as a source and as a target, new, read, edited and synced."""

import pytest

from tests.api.buckets import Place, gcs_process, place, settings
from tests.api.client import Api
from tests.api.shapes import check
from tests.emulators_buckets import azure_emulator, redis_emulator

__all__ = ["azure_emulator", "gcs_process", "place", "redis_emulator", "settings"]


@pytest.mark.parametrize("direction", ["import", "export"])  # of datasets nothing is recorded
def test_a_storage_has_its_recorded_shape(api: Api, place: Place, direction: str):
    shape = f"{place.type}_{direction}".upper()
    base = f"/api/storages/{'' if direction == 'import' else 'export/'}{place.type}"
    project = api.project()
    body = {"project": project, "title": "A storage", **place.fields}
    made = api.post(base, body, 201)
    path = f"{base}/{made['id']}"
    answers = {
        "created": made,
        "read": api.get(path),
        "edited": api.call("PATCH", path, json={"title": "Another"}),
        "replaced": api.call("PUT", path, json=body),
        "synced": api.post(f"{path}/sync"),
    }
    for name, answer in answers.items():
        check(shape, answer, f"{shape} {name}")
    check(f"[{shape}]", api.get(f"{base}?project={project}"))
    check("[FORM_ROW]", api.get(f"{base}/form"))
    assert api.post(f"{base}/validate", body) is None


def test_objects_have_their_recorded_shape(api: Api, place: Place):
    body = {"project": api.project(), **place.fields}
    for key in ("a.json", "b.json"):
        place.put(key, b"{}")
    for limit in (1, 2, 100):
        check("FILES", api.post(f"/api/storages/{place.type}/files", {**body, "limit": limit}))
