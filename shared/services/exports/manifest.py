"""The manifest of a target: which objects a full sync left there, how large, and what they must read as."""

import orjson

from shared.model.export_body import CONTENT_TYPE
from shared.model.storage import Storage
from shared.model.targets import OWN_FOLDER
from shared.model.times import moment
from shared.ports import ObjectStore
from shared.services.context import Context
from shared.services.exports.walking import links

PART = 20_000
"""Objects of one part: beyond one part, the manifest names the parts."""


def write(ctx: Context, storage: Storage, storage_map: str, store: ObjectStore, *, run: str) -> None:
    """Writes the manifest below the target's prefix; written again by a repetition. Raises `StoreError`."""
    folder = f"{storage.prefix}{OWN_FOLDER}/"
    entries: list[dict[str, object]] = []
    parts: list[dict[str, object]] = []
    total = 0

    def end_part() -> None:
        key = f"{folder}manifest-{len(parts) + 1:05d}.json"
        store.write(key, orjson.dumps({"objects": entries}), content_type=CONTENT_TYPE)
        parts.append({"key": key, "objects": len(entries)})
        entries.clear()

    for stored in links(ctx, storage_map, store, "", None):
        link = stored.value
        if link.gone or not link.rev:
            continue
        if len(entries) >= PART:
            end_part()
        entries.append({"key": link.key, "size": link.size, "sha256": link.digest, "version": link.version})
        total += 1
    if parts and entries:
        end_part()
    about = {"storage": storage.id, "project": storage.project, "run": run, "written_at": moment(ctx.clock())}
    content = {"parts": parts} if parts else {"objects": entries}
    body = orjson.dumps({**about, "total": total, **content})
    store.write(f"{folder}manifest.json", body, content_type=CONTENT_TYPE)
    if storage.config.get("can_delete_objects"):
        named = {f"{folder}manifest.json", *(part["key"] for part in parts)}
        for page in store.pages(folder):
            for info in page:
                if info.key not in named:  # a part of a longer one
                    store.delete(info.key)
