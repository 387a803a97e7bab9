"""What API tests do again and again."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from shared.adapters.queues.inprocess import InProcessQueue
from shared.model.user import Role
from shared.ports import Query
from shared.services.accounts import issuing, users
from shared.services.context import Context
from tests.api.documented import client

TOKEN = "0123456789abcdef0123456789abcdef01234567"
CONFIG = """<View><Image name="img" value="$image"/><Choices name="ch" toName="img">
<Choice value="cat"/><Choice value="dog" alias="d"/></Choices></View>"""


def base(kind: str, direction: str) -> str:
    """Where the storages of a type and direction are; of no type, those of all."""
    return "/".join(filter(None, ["/api/storages", {"import": ""}.get(direction, direction), kind]))


def of_project(direction: str, project: int) -> dict[str, int]:
    """What the body and the list of a storage say of its project: datasets are of none."""
    return {} if direction == "dataset" else {"project": project}


def words(text: str) -> list[str]:
    return text.split()


@dataclass
class Api:
    ctx: Context
    http: httpx.Client
    others: list[httpx.Client] = field(default_factory=list)
    """Of other users; closed with the test."""

    def call(self, method: str, path: str, status: int = 200, **more: Any) -> Any:
        """A request that must answer with `status`; the answer's JSON, None if it is empty."""
        answer = self.http.request(method, path, **more)
        assert answer.status_code == status, f"{method} {path}: {answer.status_code} {answer.text[:2000]}"
        return answer.json() if answer.content else None

    def get(self, path: str, status: int = 200, **more: Any) -> Any:
        return self.call("GET", path, status, **more)

    def post(self, path: str, json: Any = None, status: int = 200, **more: Any) -> Any:
        return self.call("POST", path, status, **({"json": json} if json is not None else {}), **more)

    def project(self, **fields: Any) -> int:
        return int(self.post("/api/projects/", {"title": "Some project", "label_config": CONFIG, **fields}, 201)["id"])

    def folder(self, name: str = "digits", files: int = 0) -> str:
        """A folder that may be connected, with so many files added to it."""
        path = Path(self.ctx.settings.local_files_document_root) / name
        path.mkdir(exist_ok=True)
        for number in range(files):
            (path / f"{number:04d}.png").write_bytes(b"picture %d" % number)
        return str(path)

    def local(self, project: int, status: int = 201, **fields: Any) -> Any:
        body = {"project": project, "path": self.folder(), "use_blob_urls": True, **fields}
        return self.post("/api/storages/localfiles/", body, status)

    def s3(self, project: int, endpoint: str, status: int = 201, **fields: Any) -> Any:
        keys = {"aws_access_key_id": "AKIDFORTESTS", "aws_secret_access_key": "a-secret-for-tests"}
        body = {"project": project, "bucket": "pictures", "prefix": "img", "s3_endpoint": endpoint, **keys}
        return self.post("/api/storages/s3/", {**body, "use_blob_urls": True, **fields}, status)

    def as_user(self, *projects: int, role: Role = "member") -> "Api":
        """The API as somebody else: a new member of these projects, or a new admin."""
        given = {"email": f"user-{self.ctx.users.count() + 1}@localhost", "role": role, "projects": sorted(projects)}
        return self.with_token(issuing.reset_legacy(self.ctx, users.create(self.ctx, given)))

    def with_token(self, token: str) -> "Api":
        """The API with another legacy token."""
        headers = {"Authorization": f"Token {token}"}
        self.others.append(client(base_url=self.http.base_url, headers=headers))
        return Api(self.ctx, self.others[-1], self.others)

    @property
    def nobody(self) -> httpx.Client:
        """Requests without a token."""
        self.others.append(client(base_url=self.http.base_url))
        return self.others[-1]

    def work(self) -> None:
        """Delivers every message that is due."""
        assert isinstance(self.ctx.queue, InProcessQueue)
        while self.ctx.queue.step():
            pass

    def count(self, collection: str) -> int:
        return self.ctx.documents.count(Query(collection=collection))
