"""A server that is killed with -9 while it fills a target: the sync goes on, nothing is missing, nothing is stale."""

import random
import threading
from concurrent.futures import ThreadPoolExecutor

import orjson

RESULT = [{"from_name": "ch", "to_name": "img", "type": "choices", "value": {"choices": ["cat"]}}]
BATCH = 500


def fill(api, project, annotations):
    for first in range(0, annotations, BATCH):
        rows = [{"data": {"image": f"{first + at}.jpg"}, "annotations": [{"result": RESULT}]} for at in range(BATCH)]
        answer = api.http.post(f"/api/projects/{project}/import", json=rows)
        assert 201 == answer.status_code, answer.text


def annotations_of(api, project):
    """All annotations of a project, by id."""
    found, page = {}, 1
    while True:
        query = {"project": project, "page": page, "page_size": 1000, "fields": "all"}
        answer = api.http.get("/api/tasks", params=query)
        if answer.status_code == 404:
            return found
        found |= {one["id"]: one for task in answer.json()["tasks"] for one in task["annotations"]}
        page += 1


def test_kills_during_a_full_sync(s3, lives):
    """3,500 annotations, some of them changed and deleted meanwhile: completed by itself, and all as it should be."""
    (sluice, kills), count = lives, 3_500
    s3.reset(everything=True)
    s3.bucket("bucket")
    hold = {"action": "hold", "op": "put", "key": r"out/\d", "count": -1}
    s3.faults(hold)
    rng = random.Random(20_261_124)
    pause = threading.Event()
    api = sluice.start()
    project = api.project()
    fill(api, project, count)
    numbers = sorted(annotations_of(api, project))
    keys = {"aws_access_key_id": "key", "aws_secret_access_key": "secret", "s3_endpoint": s3.endpoint}
    fields = {"project": project, "bucket": "bucket", "prefix": "out", "can_delete_objects": True, **keys}
    made = api.http.post("/api/storages/export/s3", json=fields)
    assert 201 == made.status_code, made.text
    storage = {"type": "export/s3", "id": made.json()["id"]}
    changed = set()
    for _ in range(kills):
        # So few objects are let through in each life that the sync can't end, however fast this machine is.
        s3.faults(hold | {"skip": 600})
        pause.wait(rng.uniform(0.05, 0.5))
        for number in rng.sample(numbers, 5):
            if number not in changed:
                api.http.patch(f"/api/annotations/{number}", json={"result": [{"said": number}]})
                changed.add(number)
        gone = numbers.pop(rng.randrange(len(numbers)))
        api.http.delete(f"/api/annotations/{gone}")
        changed.discard(gone)
        assert api.read(storage)["status"] in {"queued", "in_progress"}
        sluice.kill()
        s3.faults(hold)
        api = sluice.start()
    s3.faults()

    ended = api.wait(storage, 180)

    assert ("completed", None) == (ended["status"], ended["traceback"])
    stored = annotations_of(api, project)
    assert sorted(stored) == numbers
    wanted = {f"out/{number}": one["result"] for number, one in stored.items()}
    for _ in range(600):  # the sweep finds what was owed when it was killed
        found = s3.keys("bucket")
        with ThreadPoolExecutor(8) as readers:
            bodies = list(readers.map(lambda key: s3.get("bucket", key), found))
        there = {key: orjson.loads(body)["result"] for key, body in zip(found, bodies, strict=True) if body}
        if there == wanted:
            break
        pause.wait(0.5)
    assert there.keys() == wanted.keys()
    assert [key for key in wanted if there[key] != wanted[key]] == []
