"""Who calls: both kinds of credentials, tokens, users, and the server's version."""

import time
from dataclasses import replace

import pytest

from infra.local import Stack
from tests.sdk.client import Sdk, SdkError

pytestmark = pytest.mark.parametrize("platform", ["embedded"], indirect=True)
REFRESH = ("POST", "/api/token/refresh/", 200)
WHOAMI = ("GET", "/api/current-user/whoami", 200)


def sent(sdk: Sdk) -> list[tuple[str, str, int]]:
    return [(one.method, one.path, one.status) for one in sdk.sent]


def test_a_legacy_token(sdk: Sdk):
    assert sdk.users.whoami()["id"] == 1
    assert sent(sdk) == [WHOAMI]
    assert (sdk.sent[0].authorization, sdk.sent[0].api_key) == ("Token", False)
    with pytest.raises(SdkError) as refused:
        sdk.client("0" * 40).users.whoami()
    assert (refused.value.status, refused.value.body["detail"]) == (401, "Invalid token.")


def test_a_refresh_token_is_exchanged_once(sdk: Sdk):
    refresh = sdk.tokens.create()["token"]
    client = sdk.client(refresh)
    assert client.sent == [], "a client is made without a request"
    assert client.users.whoami()["id"] == 1
    assert sent(client) == [REFRESH, WHOAMI]
    assert [one.authorization for one in client.sent] == ["", "Bearer"]
    assert client.projects.list() == []
    assert [one.path for one in client.sent] == ["/api/projects/?page=1"]


def test_an_access_token_whose_time_is_over_is_replaced(sdk: Sdk, stack: Stack):
    """The SDK looks at the time in the token. The server's clock is behind, so that each is over when it comes."""
    stack.ctx.clock = lambda: time.time() - 3600
    client = sdk.client(sdk.tokens.create()["token"])
    for _ in range(2):
        assert client.users.whoami()["id"] == 1
        assert sent(client) == [REFRESH, WHOAMI]


def test_a_server_whose_clock_is_ahead_refuses_the_access_token(sdk: Sdk, stack: Stack):
    client = sdk.client(sdk.tokens.create()["token"])
    client.users.whoami()
    stack.ctx.clock = lambda: time.time() + 3600
    with pytest.raises(SdkError, match="401"):
        client.users.whoami()
    assert [one.status for one in client.sent] == [401], "it is not sent again"


def test_a_refresh_token_whose_time_is_over_makes_no_client(sdk: Sdk, stack: Stack):
    life = stack.ctx.settings.refresh_token_days * 86_400
    stack.ctx.clock = lambda: time.time() - life - 60
    refresh = sdk.tokens.create()["token"]
    with pytest.raises(SdkError) as refused:
        sdk.client(refresh)
    assert refused.value.status == 401
    assert "expired" in refused.value.body["detail"]


def test_a_token_in_a_header_of_its_own(sdk: Sdk):
    refresh = sdk.tokens.create()["token"]
    for api_key, header in (("unused", sdk.token), (refresh, refresh)):
        client = sdk.client(api_key, headers={"X-API-Key": header})
        assert client.users.whoami()["id"] == 1
        assert (client.sent[-1].authorization, client.sent[-1].api_key) == ("", True)


def test_the_asynchronous_client(sdk: Sdk):
    project = sdk.projects.create(title="A project")["id"]
    for api_key, exchanges in ((sdk.token, 0), (sdk.tokens.create()["token"], 1)):
        made, listed = sdk.asynchronously(
            api_key,
            ("tasks.create", {"project": project, "data": {"image": "x"}}),
            ("tasks.list", {"project": project, "page_size": 10}),
        )
        assert listed[-1]["id"] == made["id"]
        assert [one.path for one in sdk.sent].count("/api/token/refresh/") == exchanges


def test_a_base_url_may_end_in_a_slash(sdk: Sdk):
    client = sdk.client(sdk.tokens.create()["token"], base_url=f"{sdk.url}/")
    assert client.users.whoami()["id"] == 1
    assert sent(client) == [REFRESH, WHOAMI]


def test_every_method_of_tokens(sdk: Sdk):
    tokens = sdk.tokens
    with sdk.covering("tokens"):
        made = tokens.create()
        assert sdk.type == "LseapiTokenCreate"
        assert {"token", "created_at", "expires_at"} <= made.keys()
        listed = tokens.list()
        assert len(listed) == 1 == len(tokens.list(ordering="-created_at"))
        assert made["token"].startswith(listed[0]["token"])
        assert made["token"] != listed[0]["token"], "what is listed is as good as the token"
        access = tokens.refresh(refresh=made["token"])["access"]
        assert sdk.client("unused", headers={"X-API-Key": access}).users.whoami()["id"] == 1

        rotated = tokens.rotate(refresh=made["token"])["refresh"]
        with pytest.raises(SdkError, match="401"):
            tokens.refresh(refresh=made["token"])
        with pytest.raises(SdkError, match="401"):
            sdk.client(made["token"]).users.whoami()
        assert sdk.client(rotated).users.whoami()["id"] == 1
        assert tokens.blacklist(refresh=rotated) is None
        with pytest.raises(SdkError, match="404") as gone:
            tokens.blacklist(refresh=rotated)
        assert gone.value.name == "NotFoundError"
        with pytest.raises(SdkError, match="401"):
            sdk.client(rotated).users.whoami()
        assert tokens.list() == []


def test_every_method_of_users(sdk: Sdk):
    users = sdk.users
    with sdk.covering("users"):
        me = users.whoami()
        assert sdk.type == "WhoAmIUser"
        assert me["username"] == "admin"
        assert users.get_current_user()["id"] == me["id"]
        assert users.update_current_user(first_name="Ada")["first_name"] == "Ada" == users.whoami()["first_name"]
        made = users.create(username="grace", email="grace@example.org", first_name="Grace")
        assert (made["email"], made["first_name"]) == ("grace@example.org", "Grace")
        assert [user["id"] for user in users.list()] == [me["id"], made["id"]]
        assert [user["id"] for user in users.list(ordering="-id")] == [made["id"], me["id"]]
        assert users.update(made["id"], last_name="Hopper")["last_name"] == "Hopper"
        assert users.get(made["id"])["last_name"] == "Hopper"
        assert "can't be shown" in str(users.get_token())

        first = users.reset_token()["token"]
        second = users.reset_token()["token"]
        assert sdk.client(second).users.whoami()["id"] == me["id"]
        with pytest.raises(SdkError, match="401"):
            sdk.client(first).users.whoami()
        assert users.delete(made["id"]) is None


def test_a_member_works_as_everybody_does(sdk: Sdk, stack: Stack):
    mine, other = (sdk.projects.create(title=title)["id"] for title in ("Mine", "Another's"))
    user = sdk.users.create(username="grace", email="grace@example.org")
    stored = stack.ctx.users.get(user["id"])
    assert stored is not None
    stack.ctx.documents.commit([stack.ctx.users.update(stored, replace(stored.value, projects=frozenset({mine})))])
    token = sdk.tokens.create(request_options={"additional_body_parameters": {"user": user["id"]}})["token"]
    member = sdk.client(token)
    assert [project["id"] for project in member.projects.list()] == [mine]
    task = member.tasks.create(project=mine, data={"image": "x"})
    assert member.annotations.create(id=task["id"], result=[])["completed_by"] == user["id"]
    for call in (
        lambda: member.projects.get(other),
        lambda: member.tasks.list(project=other),
        lambda: member.import_storage.local.list(project=other),
    ):
        with pytest.raises(SdkError, match="404"):
            call()
    with pytest.raises(SdkError, match="403"):
        member.projects.create(title="Not mine to make")


def test_every_method_of_versions(sdk: Sdk):
    with sdk.covering("versions"):
        assert sdk.versions.get()["release"]
