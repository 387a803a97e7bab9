"""One of each thing that the API has, in a project of its own. A route whose path names a new thing needs one here."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from shared.adapters.receivers import HttpReceivers
from shared.model.dataset_record import record_id
from shared.model.fields import DIRECTIONS, Direction
from shared.model.ledger import Entry
from shared.model.providers import PROVIDERS
from shared.model.run import Gate
from shared.model.user import User
from shared.ports import Write
from shared.records.storages import next_id
from shared.services.accounts import issuing, users
from shared.services.datasets import freezing
from shared.services.storages import connecting
from shared.services.storages.registration import root_chunk
from tests.api.client import Api, base

RECEIVER = "http://127.0.0.1:9/CANARY"
"""Of a webhook, which is told of nothing: no test of worlds delivers."""
BUCKET = "canary-bucket"
"""Of a storage that covers all of it."""
CANARY = "CANARY"
"""In every text of a world: who may not see it must not find it in an answer."""


@dataclass(repr=False)
class World:
    """A project with one of everything, and a member of it."""

    admin: Api
    project: int
    member: Api
    user: User
    refresh: str
    """The member's refresh token."""
    ids: dict[str, int | str] = field(default_factory=dict)
    """By the path that ends in the parameter: what is to stand there."""

    def path(self, template: str) -> str:
        """A route's path with this world's ids. Raises `KeyError` for a parameter that it knows nothing for."""
        parts = template.split("/")
        for at, part in enumerate(parts):
            if part.startswith("{"):
                parts[at] = str(self.ids["/".join(template.split("/")[: at + 1])])
        return "/".join(parts)


def storage_of_type(api: Api, kind: str, direction: Direction, project: int, **more: str) -> int:
    """A storage that nobody has connected to: its bucket is not there. A dataset has a record all the same."""
    fields = {"project": project, "title": CANARY, "path": api.folder(files=1), "host": "127.0.0.1", "port": "1"}
    fields |= more
    ctx = api.ctx
    draft = connecting.new_draft(ctx, PROVIDERS[kind], fields, direction, user=users.first(ctx))
    number = next_id(ctx.documents, "storages")
    gate = Gate(
        id=str(number),
        storage=number,
        project=draft.project,
        map=ctx.new_id(),
        location=draft.location,
        shape=draft.shape,
    )
    chunk = root_chunk(ctx, gate)
    writes: list[Write] = [
        ctx.storages.create(number, draft),
        ctx.gates.create(number, gate),
        ctx.chunks.create(chunk.id, chunk),
    ]
    if direction == "dataset":
        writes.append(ctx.ledgers.write(chunk.id, {CANARY: Entry(CANARY, "1")}, exists=False, storage_map=gate.map))
    ctx.documents.commit(writes)
    return number


def record_of(api: Api, number: int) -> int:
    """The one record of a dataset."""
    gate = api.ctx.gates.get(number)
    assert gate is not None
    return record_id(gate.value.map, CANARY)


def make(api: Api, name: str, route: str = "/additions /snapshots") -> World:
    """A world; `name` makes its member's address another than other worlds'.

    Of what takes its time there is only what the `route` speaks of.
    """
    api.ctx.receivers = HttpReceivers(allow_private=True, timeout=1.0)
    project = api.project(title=f"{CANARY} {name}", description=CANARY)
    given = {"email": f"{name}@example.org", "first_name": CANARY, "projects": [project]}
    user = users.create(api.ctx, given)
    issued = issuing.new_refresh(api.ctx, user)
    member = api.with_token(issuing.reset_legacy(api.ctx, user))
    task = api.post("/api/tasks/", {"project": project, "data": {"image": CANARY}}, 201)["id"]
    result = [{"from_name": "ch", "to_name": "img", "type": "choices", "value": {"choices": [CANARY]}}]
    annotation = api.post(f"/api/tasks/{task}/annotations/", {"result": result}, 201)["id"]
    prediction = api.post("/api/predictions/", {"task": task, "result": result, "model_version": CANARY}, 201)["id"]
    upload = api.post(f"/api/projects/{project}/import", [{"image": CANARY}], 201)["import"]
    storages = {
        f"{base(kind, direction)}/{{id}}": storage_of_type(api, kind, direction, project)
        for kind, provider in PROVIDERS.items()
        for direction in provider.directions
    }
    # Signs without asking anybody.
    keys = {"aws_access_key_id": "AKIDFORTESTS", "aws_secret_access_key": "a-secret-for-tests"}
    storage_of_type(api, "s3", "import", project, bucket=BUCKET, s3_endpoint="http://127.0.0.1:9", **keys)
    asked = {"project": project, "filter": {}}
    additions = {
        f"{path}/additions/{{addition}}": api.post(path.format(id=number) + "/records/add-to-project", asked, 201)["id"]
        for path, number in storages.items()
        if "/dataset/" in path and "/additions" in route
    }
    webhook = api.post("/api/webhooks/", {"project": project, "url": RECEIVER}, 201)["id"]
    return World(
        admin=api,
        project=project,
        member=member,
        user=user,
        refresh=issued.token,
        ids={
            **(snapshots_of(api, storages) if "/snapshots" in route else {}),
            **dict.fromkeys(["/api/projects/{id}", "/projects/{id}"], project),
            "/api/projects/{id}/imports/{import_pk}": upload,
            **dict.fromkeys(["/api/tasks/{id}", "/tasks/{id}"], task),
            "/api/annotations/{id}": annotation,
            "/api/predictions/{id}": prediction,
            "/api/users/{id}": user.id,
            "/api/token/{id}": issued.about.jti,
            "/api/webhooks/{id}": webhook,
            **storages,
            **{
                f"{path}/records/{{record}}": record_of(api, number)
                for path, number in storages.items()
                if "/dataset/" in path
            },
            **additions,
            **{f"{base('', direction)}/{{type}}": "nonsense" for direction in DIRECTIONS},
            **{f"{base('', direction)}/{{type}}/{{rest:path}}": "1/sync" for direction in DIRECTIONS},
        },
    )


def snapshots_of(api: Api, storages: Mapping[str, int]) -> dict[str, int | str]:
    """A snapshot of each dataset."""
    found = {path: api.ctx.storages.get(number) for path, number in storages.items() if "/dataset/" in path}
    return {
        f"{path}/snapshots/{{snapshot}}": freezing.take(api.ctx, stored.value, title=CANARY).id
        for path, stored in found.items()
        if stored is not None
    }
