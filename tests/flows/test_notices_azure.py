"""An Azure upload becomes a task because Event Grid said so: both schemas, both handshakes, a secret and a token."""

import json
import uuid

import httpx
import pytest
from azure.storage.blob import ContainerClient

from functions import senders
from infra import local
from infra.emulators.azurite import ACCOUNT, KEY
from infra.emulators.cloud_tasks.oidc import Issuer, serving_keys
from tests.emulators_buckets import azure_emulator
from tests.notices import cloud_event, grid, until
from tests.stack import Api

__all__ = ["azure_emulator"]

SECRET = "a-secret-of-event-grid-0001"
TENANT = "72f988bf-86f1-41af-91ab-2d7cd011db47"
ISSUER = f"https://sts.windows.net/{TENANT}/"
AUDIENCE, GRID = "api://sluice-notices", "4962773b-9cdb-44cf-a8bf-237846a00ab7"
VALIDATION = {
    "eventType": "Microsoft.EventGrid.SubscriptionValidationEvent",
    "topic": "/subscriptions/s",
    "subject": "",
    "id": "1",
    "data": {"validationCode": "code-0042", "validationUrl": "https://rp-eastus2.eventgrid.azure.net:553/x"},
}


@pytest.fixture(scope="module")
def entra():
    return Issuer()


@pytest.fixture
def stack(request, tmp_path, entra):
    senders._keys.cache_clear()
    with serving_keys(entra) as keys:
        settings = {"notice_secrets": SECRET, "entra_audience": AUDIENCE, "entra_issuers": ISSUER}
        settings |= {"entra_keys_url": keys, "event_window": 0.05, "sweep_interval": 3600}
        settings |= getattr(request, "param", {})
        with local.running(tmp_path / "data", files_root=tmp_path, **settings) as one:
            yield one


def token(entra, **claims):
    return entra.token("", AUDIENCE, **{"iss": ISSUER, "appid": GRID, "email": None, "azp": None, **claims})


def send(stack, body, bearer="", secret=""):
    headers = {"authorization": f"Bearer {bearer}"} if bearer else {}
    query = {"secret": secret} if secret else {}
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return httpx.post(f"{stack.url}/bucket_webhook", content=content, headers=headers, params=query)


@pytest.mark.emulator
@pytest.mark.parametrize("schema", ["event grid", "cloud events"])
def test_an_upload_becomes_a_task(stack, entra, azure_emulator, schema):
    api, name = Api(stack.url, stack.token), f"c{uuid.uuid4().hex}"
    endpoint, key = f"{azure_emulator.url}/{ACCOUNT}", "img/ü 1+.jpg"
    with ContainerClient(endpoint, name, credential={"account_name": ACCOUNT, "account_key": KEY}) as container:
        container.create_container()
        container.upload_blob("img/0.jpg", b"x")
        given = {"container": name, "azure_endpoint": endpoint, "account_name": ACCOUNT, "account_key": KEY}
        given |= {"prefix": "img", "use_blob_urls": True, "auto_sync": True}
        storage = api.storage(api.project(), kind="azure", **given)
        api.sync(storage)
        before = api.wait(storage)
        container.upload_blob(key, b"x")
    event, other = grid(name, key, url=f"{endpoint}/{name}/x"), grid(name, "elsewhere/1.jpg")
    if schema == "event grid":
        answer = send(stack, [event, other, event], secret=SECRET)
    else:
        answer = send(stack, cloud_event(event), bearer=token(entra))
    assert answer.status_code == 200
    until(lambda: api.total(storage["project"]) == 2)
    after = api.read(storage)
    assert (after["status"], after["last_sync_job"]) == (before["status"], before["last_sync_job"])
    api.close()


def test_the_handshake_of_event_grid(stack, entra):
    for proof in ({"secret": SECRET}, {"bearer": token(entra)}):
        answer = send(stack, [VALIDATION], **proof)
        assert (answer.status_code, answer.json()) == (200, {"validationResponse": "code-0042"})
    assert send(stack, [VALIDATION]).status_code == 401
    assert send(stack, [{**VALIDATION, "data": {}}], secret=SECRET).status_code == 400


def options(stack, origin="eventgrid.azure.net", **query):
    headers = {"WebHook-Request-Origin": origin, "WebHook-Request-Rate": "120"} if origin else {}
    return httpx.options(f"{stack.url}/bucket_webhook", headers=headers, params=query)


def test_the_handshake_of_cloud_events(stack):
    answer = options(stack)
    assert answer.status_code == 200
    assert answer.headers["webhook-allowed-origin"] == "eventgrid.azure.net"
    assert answer.headers["webhook-allowed-rate"] == "*"
    assert "POST" in answer.headers["allow"]
    for origin in ("", "*", "a b", "x" * 300):
        refused = options(stack, origin)
        assert refused.status_code == 400
        assert "webhook-allowed-origin" not in refused.headers


@pytest.mark.parametrize("stack", [{"entra_audience": ""}], indirect=True)
def test_the_handshake_of_cloud_events_by_secret(stack):
    assert options(stack, secret=SECRET).status_code == 200
    assert options(stack).status_code == 401
    assert options(stack, secret=f"{SECRET}0").status_code == 403


BAD = {
    "expired": (401, {"iat": 1, "exp": 2}),
    "for somebody else": (401, {"aud": "api://another"}),
    "of another tenant": (401, {"iss": "https://sts.windows.net/another/"}),
    "without an end": (401, {"exp": None}),
    "of another application": (403, {"appid": str(uuid.uuid4())}),
    "of no application": (403, {"appid": None}),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_token(stack, entra, case):
    status, claims = BAD[case]
    assert send(stack, [grid("c", "k")], bearer=token(entra, **claims)).status_code == status


def test_who_else_is_refused(stack, entra):
    event = [grid("c", "k")]
    assert send(stack, event).status_code == 401
    assert send(stack, event, bearer=token(Issuer())).status_code == 401
    assert send(stack, event, secret="another-secret-0001").status_code == 403
    assert send(stack, event, bearer=token(entra), secret="another-secret-0001").status_code == 403
    assert send(stack, event, bearer=token(entra)).json() == {"honoured": 0, "ignored": 1, "malformed": 0}
    assert send(stack, event, bearer=token(entra, appid=None, azp=GRID)).status_code == 200
