"""Webhooks over HTTP: shapes as the SDK reads them, refusals that name the field, and who sees what."""

import io
import json
from pathlib import Path

import pytest

from shared.adapters.receivers import HttpReceivers
from tests.api.client import Api, words

URL = "https://93.184.216.34/hook"
KEYS = """id organization project url send_payload send_for_all_actions headers is_active actions created_at updated_at
    consecutive_failures last_error"""
CANARY = "canary-of-a-header-0007"


@pytest.fixture
def public(api: Api) -> Api:
    """The API where only public addresses are good, and names mean what the test says: no name server is asked."""
    names = {
        "hooks.example.org": ["93.184.216.34"],
        "metadata.example.org": ["169.254.169.254"],
        "mixed.example.org": ["93.184.216.34", "10.0.0.1"],
    }

    def resolve(host: str, _port: int) -> list[str]:
        if host[0].isdigit() or ":" in host:
            return [host]
        if host not in names:
            raise OSError("unknown name")
        return names[host]

    api.ctx.receivers = HttpReceivers(allow_private=False, timeout=5, resolve=resolve)
    return api


def test_a_webhook_from_its_creation_to_its_end(public: Api):
    api, project = public, public.project()
    made = api.post("/api/webhooks/", {"url": URL, "project": project}, 201)
    assert words(KEYS) == list(made)
    known = {"organization": 1, "project": project, "url": URL, "headers": {}, "is_active": True, "actions": []}
    known |= {"send_payload": True, "send_for_all_actions": True, "consecutive_failures": 0, "last_error": ""}
    assert known == {name: made[name] for name in known}

    one = f"/api/webhooks/{made['id']}/"
    assert made == api.get(one)
    assert [made] == api.get("/api/webhooks/", params={"project": project})
    fields = {
        "send_for_all_actions": False,
        "actions": ["TASKS_CREATED", "TASKS_CREATED"],
        "headers": {"X-Key": CANARY},
    }
    edited = api.call("PATCH", one, json=fields)
    assert (["TASKS_CREATED"], {"X-Key": "***"}, URL) == (edited["actions"], edited["headers"], edited["url"])
    assert edited["updated_at"] > made["updated_at"]
    assert edited["created_at"] == made["created_at"]
    again = api.call("PUT", one, json={"url": "https://hooks.example.org/", "project": 77})
    assert ([], True, project) == (again["actions"], again["send_for_all_actions"], again["project"])
    assert {"X-Key": "***"} == again["headers"]  # not given, so kept
    api.call("DELETE", one, 204)
    api.get(one, 404)
    api.call("DELETE", one, 404)
    assert [] == api.get("/api/webhooks/")


def test_a_header_given_as_it_is_shown_keeps_its_value(public: Api):
    api = public
    body = {"url": URL, "project": api.project(), "headers": {"A": CANARY, "B": "b"}}
    made = api.post("/api/webhooks/", body, 201)
    api.call("PATCH", f"/api/webhooks/{made['id']}", json={"headers": {"A": "***", "C": "***", "D": "d"}})

    stored = api.ctx.webhooks.get(made["id"]).value  # type: ignore[union-attr]
    kept = json.loads(api.ctx.vault.open(stored.sealed)["headers"])
    assert {"A": CANARY, "C": "***", "D": "d"} == kept


def test_what_can_be_told(api: Api):
    actions = api.get("/api/webhooks/info/")
    assert {"name": "Task created", "description": "", "key": "tasks", "organization-only": False} == actions[
        "TASKS_CREATED"
    ]
    assert {"PROJECT_CREATED", "PROJECT_DELETED"} == set(api.get("/api/webhooks/info?organization-only=true"))
    assert set(actions) == {"PROJECT_CREATED", "PROJECT_DELETED"} | set(
        api.get("/api/webhooks/info?organization-only=false")
    )


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("url", None, "may not be null"),
        ("url", "", "may not be blank"),
        ("url", 5, "Not a valid string"),
        ("url", "hooks.example.org", "begins with http"),
        ("url", "ftp://hooks.example.org/", "begins with http"),
        ("url", "file:///etc/passwd", "begins with http"),
        ("url", "https://", "host"),
        ("url", "https://:80/", "host"),
        ("url", "https://hooks.example.org:0/", "port"),
        ("url", "https://hooks.example.org:99999/", "port"),
        ("url", "https://[::1", "host"),
        ("url", "https://hooks.example.org/a b", "printable ASCII"),
        ("url", "https://hooks.example.org\\@10.0.0.1/", "printable ASCII"),
        ("url", "https://hooks.example.org/\r\nX: y", "printable ASCII"),
        ("url", "https://hoöks.example.org/", "punycode"),
        ("url", f"https://user:{CANARY}@hooks.example.org/", "must not hold a name or password"),
        ("url", "https://hooks.example.org/" + "x" * 2048, "no more than 2048"),
        ("url", "http://127.0.0.1:8080/", "not a public address"),
        ("url", "http://[::1]/", "not a public address"),
        ("url", "http://[::ffff:10.0.0.1]/", "not a public address"),
        ("url", "http://metadata.example.org/", "not a public address"),
        ("url", "http://mixed.example.org/", "not a public address"),
        ("headers", None, "JSON object"),
        ("headers", [], "JSON object"),
        ("headers", {"A": 1}, "values are strings"),
        ("headers", {"A b": "c"}, "not the name of a header"),
        ("headers", {"A\r\nB": "c"}, "not the name of a header"),
        ("headers", {"A": "b\r\nC: d"}, "one line of ASCII"),
        ("headers", {"A": CANARY + "é"}, "one line of ASCII"),
        ("headers", {"A": "x" * 4097}, "4096"),
        ("headers", {"Host": "other"}, "set by Sluice itself"),
        ("headers", {"Transfer-Encoding": "chunked"}, "set by Sluice itself"),
        ("headers", {"X-Sluice-Attempt": "9"}, "set by Sluice itself"),
        ("headers", {"A": "1", "a": "2"}, "named twice"),
        ("headers", {f"A{n}": "" for n in range(11)}, "no more than 10"),
        ("is_active", "perhaps", "valid boolean"),
        ("send_payload", None, "valid boolean"),
        ("send_for_all_actions", [], "valid boolean"),
        ("actions", "TASKS_CREATED", "list of items"),
        ("actions", ["TASKS_EATEN"], '"TASKS_EATEN" is not a valid choice'),
        ("actions", [{}], "is not a valid choice"),
        ("actions", ["PROJECT_CREATED"], "organization-only action"),
    ],
)
def test_a_bad_field_is_named(public: Api, log_lines: io.StringIO, field: str, value: object, says: str):
    api = public
    good = {"url": URL, "project": api.project()}
    made = api.post("/api/webhooks/", good, 201)
    answers = [api.post("/api/webhooks/", {**good, field: value}, 400)]
    answers += [api.call("PATCH", f"/api/webhooks/{made['id']}", 400, json={field: value})]
    answers += [api.call("PUT", f"/api/webhooks/{made['id']}", 400, json={**good, field: value})]

    for answer in answers:
        assert [field] == list(answer["validation_errors"])
        assert says in answer["validation_errors"][field][0]
    assert CANARY not in str(answers) + log_lines.getvalue()
    assert [made] == api.get("/api/webhooks/")


@pytest.mark.parametrize("project", [999, "x", True, 0, -1, "9" * 30, 1.5, {}])
def test_a_project_that_is_not_there(public: Api, project: object):
    answer = public.post("/api/webhooks/", {"url": URL, "project": project}, 400)
    assert ["project"] == list(answer["validation_errors"])


def test_an_address_is_needed(api: Api):
    answer = api.post("/api/webhooks/", {"project": api.project()}, 400)
    assert {"url": ["This field is required."]} == answer["validation_errors"]


def test_a_name_that_is_not_known_yet_is_let_through(public: Api):
    public.post("/api/webhooks/", {"url": "https://soon.example.org/", "project": public.project()}, 201)


def test_no_more_than_the_setting_allows(public: Api):
    api, project, other = public, public.project(), public.project()
    for _ in range(api.ctx.settings.max_webhooks):
        api.post("/api/webhooks/", {"url": URL, "project": project}, 201)
        api.post("/api/webhooks/", {"url": URL}, 201)
    for body in ({"url": URL, "project": project}, {"url": URL}):
        answer = api.post("/api/webhooks/", body, 400)
        assert "SLUICE_MAX_WEBHOOKS" in answer["validation_errors"]["project"][0]
    api.post("/api/webhooks/", {"url": URL, "project": other}, 201)


def test_who_sees_what(public: Api):
    api, mine, other = public, public.project(), public.project()
    of_mine, of_other, of_all = (
        api.post("/api/webhooks/", {"url": URL, "project": project}, 201)["id"] for project in (mine, other, None)
    )
    member = api.as_user(mine)

    def seen(who: Api, query: str = "") -> list[int]:
        return [webhook["id"] for webhook in who.get(f"/api/webhooks/{query}")]

    assert [of_mine, of_other, of_all] == seen(api)
    assert [of_mine] == seen(member) == seen(member, f"?project={mine}") == seen(api, f"?project={mine}")
    assert [of_all] == seen(api, "?project=isnull")
    assert [] == seen(member, "?project=isnull")
    for who, project in ((member, other), (api, 999), (api, "x")):
        answer = who.get(f"/api/webhooks/?project={project}", 400)
        assert ["Select a valid choice. That choice is not one of the available choices."] == (
            answer["validation_errors"]["project"]
        )
    for number in (of_other, of_all):
        unknown = member.get("/api/webhooks/999", 404)["detail"]
        for method in ("GET", "PATCH", "PUT", "DELETE"):
            answer = member.call(method, f"/api/webhooks/{number}", 404, json={"url": URL})
            assert unknown == answer["detail"]
    member.post("/api/webhooks/", {"url": URL}, 403)
    member.post("/api/webhooks/", {"url": URL, "project": other}, 400)
    own = member.post("/api/webhooks/", {"url": URL, "project": mine}, 201)
    member.call("DELETE", f"/api/webhooks/{own['id']}", 204)


def test_a_projects_webhooks_go_with_it(public: Api):
    api, project = public, public.project()
    made = api.post("/api/webhooks/", {"url": URL, "project": project}, 201)
    api.call("DELETE", f"/api/projects/{project}", 204)
    api.get(f"/api/webhooks/{made['id']}", 404)
    assert 0 == api.count("webhooks")


def test_nothing_secret_is_kept_or_told(public: Api, log_lines: io.StringIO):
    """Tokens often stand in the path of the address: it is encrypted too, and shown to those who may edit it alone."""
    api = public
    body = {"url": f"{URL}/{CANARY}-path", "project": api.project(), "headers": {"Authorization": CANARY}}
    answers = [api.post("/api/webhooks/", body, 201), api.get("/api/webhooks/")]
    for answer in answers:
        assert CANARY not in str(answer).replace(f"{CANARY}-path", "")
    for file in Path(api.ctx.settings.data_dir).rglob("*"):
        assert not file.is_file() or CANARY.encode() not in file.read_bytes()
    assert CANARY not in log_lines.getvalue()


def test_a_webhook_can_be_read_and_deleted_when_the_key_was_lost(public: Api):
    api = public
    made = api.post("/api/webhooks/", {"url": URL, "project": api.project()}, 201)
    api.ctx.vault = type(api.ctx.vault).throwaway()
    [shown] = api.get("/api/webhooks/")
    assert ("", {}) == (shown["url"], shown["headers"])
    assert "can't be read with this server's key" in shown["last_error"]
    api.call("DELETE", f"/api/webhooks/{made['id']}", 204)
