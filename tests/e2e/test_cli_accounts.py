"""`sluice users` and `sluice tokens` as people run them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from infra import accounts
from infra.client import ApiError, Client
from infra.local import Stack, running
from tests.e2e.test_cli import environment, report, run


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    root = tmp_path_factory.mktemp("stack")
    (root / "files" / "photos").mkdir(parents=True)
    with running(root / "data", files_root=root / "files") as stack:
        yield stack


@pytest.fixture
def client(stack: Stack) -> Iterator[Client]:
    with Client(stack.url, stack.token) as client:
        yield client


def test_a_member_works_with_the_token_that_is_printed(stack: Stack, client: Client):
    project, other = (client.create_project(title).id for title in ("Ours", "Theirs"))
    out, err = run("users", "add", "ann@example.org", "--project", project, env=environment(stack))
    token = out.strip()
    assert token.count(".") == 2
    assert f"ann@example.org: projects {project}." in err
    assert token not in err
    env = {**environment(stack), "SLUICE_TOKEN": token}
    folder = Path(stack.ctx.settings.local_files_document_root) / "photos"
    (folder / "a.png").write_bytes(b"a picture")
    assert report("sync", folder, "--project", project, env=env)["created"] == 1
    assert "No Project matches" in run("tasks", other, env=env, code=1)[1]
    assert "only an admin" in run("users", "add", "bob@example.org", env=env, code=1)[1]
    assert [user["email"] for user in report("users", "list", env=env)["users"]] == ["ann@example.org"]

    (made,) = report("tokens", "list", env=env)["tokens"]
    listed = run("tokens", "list", "--user", "2", env=environment(stack))[0]
    assert made["id"] in listed
    assert token.rpartition(".")[2] not in listed + str(made)
    run("tokens", "revoke", made["id"], env=environment(stack))
    assert "Token is revoked" in run("tokens", "list", env=env, code=1)[1]
    again = report("tokens", "create", "--user", 2, env=environment(stack))["token"]
    run("tokens", "list", env={**env, "SLUICE_TOKEN": again})

    people = run("users", "list", env=environment(stack))[0].splitlines()
    assert people[1].split() == ["1", "admin@localhost", "admin", "everything"]
    assert people[2].split() == ["2", "ann@example.org", "member", "projects", str(project)]
    run("users", "remove", "2", env=environment(stack))
    assert "Token is revoked" in run("tokens", "list", env={**env, "SLUICE_TOKEN": again}, code=1)[1]
    assert "No User matches" in run("users", "remove", "2", env=environment(stack), code=1)[1]


def test_access_that_ended_is_had_again(stack: Stack, client: Client):
    token = accounts.create_token(client)["token"]
    asked: list[str] = []
    with Client(stack.url, token) as refreshing:
        refreshing._http.event_hooks["request"].append(lambda request: asked.append(request.url.path))
        for _ in range(2):
            assert list(refreshing.projects())[-1:] == list(client.projects())[-1:]
        assert asked.count("/api/token/refresh/") == 1
        auth = refreshing._http.auth
        auth._access = "eyJ.no.more"  # type: ignore[union-attr]  # as after five minutes
        refreshing.create_project("Made once")
        assert asked.count("/api/token/refresh/") == 2
    assert [one.title for one in client.projects()].count("Made once") == 1


def test_a_token_that_is_refused_is_refused_in_a_sentence(stack: Stack, client: Client):
    made = accounts.create_token(client)
    accounts.revoke_token(client, made["id"])
    with Client(stack.url, made["token"]) as revoked, pytest.raises(ApiError, match="Token is revoked") as refused:
        revoked.project(1)
    assert refused.value.status == 401
