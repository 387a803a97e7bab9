"""A bucket written in task format is a source for another project, with all its annotations."""

import json

from tests.flows.target_desk import RESULT, ended, target

TASKS = 500


def told(api, project):
    """What matters of each task: data, meta, and what was said of it."""
    found, page = [], 1
    while len(found) < TASKS:
        query = {"project": project, "page": page, "page_size": 200, "fields": "all"}
        found += api.http.get("/api/tasks", params=query).json()["tasks"]
        page += 1
    return sorted(
        json.dumps(
            [
                task["data"],
                task["meta"],
                task["total_annotations"],
                task["cancelled_annotations"],
                sorted(
                    json.dumps([one[name] for name in ("result", "was_cancelled", "ground_truth", "lead_time")])
                    for one in task["annotations"]
                ),
            ],
            sort_keys=True,
        )
        for task in found
    )


def test_out_and_in_again(api, bucket):
    """500 tasks with one to three annotations, cancelled ones and text of all kinds among them."""
    project = api.project()
    rows = [
        {
            "data": {"image": f"s3://x/{number}.jpg", "text": f'né {number} \U0001f600 \\ "', "deep": {"a": [1, [2]]}},
            "meta": {"n": number} if number % 3 else {},
            "annotations": [
                {
                    "result": [*RESULT, {"nested": {"of": [number, place]}}],
                    "lead_time": number / 7,
                    "was_cancelled": place == 2,
                    "ground_truth": number % 5 == 0,
                }
                for place in range(1 + number % 3)
            ],
        }
        for number in range(TASKS)
    ]
    answer = api.http.post(f"/api/projects/{project}/import", json=rows)
    assert 201 == answer.status_code, answer.text
    storage = target(api, project, bucket, prefix="out", export_format="task", manifest=True)
    assert ("completed", TASKS) == (ended(api, storage)["status"], len(bucket.keys("bucket")) - 1)

    other = api.project("another")
    source = api.s3_storage(other, bucket.endpoint, prefix="out", use_blob_urls=False, recursive_scan=False)
    api.sync(source)
    done = api.wait(source)

    assert ("completed", TASKS, None) == (done["status"], done["last_sync_count"], done["traceback"])
    assert told(api, project) == told(api, other)


def test_folders_and_the_manifest(api, bucket):
    """Also where the whole prefix is read: the manifest is no task."""
    project = api.project()
    api.http.post(
        f"/api/projects/{project}/import", json=[{"data": {"image": "x"}, "annotations": [{"result": RESULT}]}]
    )
    storage = target(
        api, project, bucket, prefix="out", export_format="task", key_template="{year}/{task}.json", manifest=True
    )
    ended(api, storage)

    other = api.project("another")
    source = api.s3_storage(other, bucket.endpoint, prefix="out", use_blob_urls=False)
    api.sync(source)
    done = api.wait(source)

    assert ("completed", 1, None) == (done["status"], done["last_sync_count"], done["traceback"])
