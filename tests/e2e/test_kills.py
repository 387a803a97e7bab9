"""A server that is killed with -9, again and again: the sync goes on by itself and ends as if nothing had happened."""

import random
import threading


def test_kills_during_a_sync(s3, lives, platform):
    """Killed again and again, no user action: completed, a task per object, none twice, the right count."""
    sluice, kills = lives
    objects, pages = (20_000, 3) if platform == "embedded" else (5_000, 1)
    s3.drop("bucket")
    s3.fill("bucket", objects, prefix="images/")
    rng = random.Random(20_261_122)
    pause = threading.Event()
    api = sluice.start()
    project = api.project()
    storage = api.s3_storage(project, s3.endpoint, prefix="images")
    hold = {"action": "hold", "op": "list", "count": -1}
    s3.faults(hold)
    api.sync(storage)
    for _ in range(kills):
        # So few pages are let through in each life that none of them can be the last, however fast this machine is.
        s3.faults(hold | {"skip": pages})
        pause.wait(rng.uniform(0.05, 0.45))
        assert api.read(storage)["status"] in {"queued", "in_progress"}
        sluice.kill()
        s3.faults(hold)
        api = sluice.start()
    s3.faults()

    ended = api.wait(storage, 180)

    assert ("completed", objects, None) == (ended["status"], ended["last_sync_count"], ended["traceback"])
    assert 0 == ended["meta"]["tasks_existed"]
    keys = [task["storage_filename"] for task in api.tasks(project)]
    assert sorted(s3.keys("bucket")) == sorted(keys)


def test_a_large_file_resumes_at_a_row(s3, lives, platform):
    """Killed in the middle of a file: it goes on at a row, and all rows become tasks.

    Memory stays below 300 MB. 300,000 rows in the local stack, fewer where the emulator has to hold them all.
    """
    sluice, rows = lives[0], 300_000 if platform == "embedded" else 12_000
    s3.drop("rows")
    s3.fill("rows", 1, kind="jsonl", rows=rows)
    pause = threading.Event()
    api = sluice.start()
    project = api.project()
    storage = api.s3_storage(project, s3.endpoint, bucket="rows", use_blob_urls=False)
    api.sync(storage)
    while (made := api.read(storage)["last_sync_count"] or 0) < rows // 4:
        assert api.read(storage)["status"] != "completed", "too fast to be killed in the middle"
        pause.wait(0.05)
    peaks = [sluice.peak_memory()]
    sluice.kill()
    s3.faults({"action": "hold", "op": "get", "count": -1})  # nothing goes on before it is counted what there is
    api = sluice.start()
    resumed = api.total(project)
    s3.faults()

    ended = api.wait(storage, 150)

    peaks.append(sluice.peak_memory())
    assert rows > resumed >= made
    assert ("completed", rows) == (ended["status"], ended["last_sync_count"])
    assert rows == api.total(project)
    assert max(peaks) < 300
