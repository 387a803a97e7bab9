"""Signed URLs: who signs, who can't, what it costs, and what is said when nobody may."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from infra.bench.s3_process import GcsServer, S3Server, s3_server
from infra.emulators import Running
from infra.emulators.azurite import ACCOUNT, KEY
from shared.adapters.objects.azure import AzureObjects
from shared.adapters.objects.gcs import GcsObjects
from shared.adapters.objects.gcs_signing import Wanted, sign
from shared.adapters.objects.s3 import S3Objects
from shared.errors import AccessDeniedError, StoreUnavailableError
from shared.ports import ObjectStore
from shared.settings import Settings
from tests.conformance.objects_signing import fetch
from tests.identities import (
    AS_APPLICATION,
    AS_MEMBER,
    AS_READER,
    AS_ROLE,
    azure_over_https,
    certificate,
    gcs,
    gcs_process,
    google_machine,
    google_process,
    identities,
    identity_settings,
    open_store,
    own_key,
    refused,
    service_account,
    trusted,
)
from tests.identity_servers import READER, Identities

__all__ = [
    "azure_over_https",
    "certificate",
    "gcs",
    "gcs_process",
    "google_machine",
    "google_process",
    "identities",
    "identity_settings",
    "open_store",
]
__all__ += ["own_key", "trusted"]

Open = Callable[..., ObjectStore]
Make = Callable[..., Settings]


@pytest.fixture(scope="module")
def s3() -> Iterator[S3Server]:
    with s3_server() as server:
        server.put("bucket", "key", "body")
        yield server


def asked(identities: Identities, what: str) -> int:
    return sum(operation == what for operation, _ in identities.asked)


class TestS3:
    def test_browsers_are_sent_to_the_public_endpoint(self, s3: S3Server) -> None:
        s3.signers(secret="secret")
        public = s3.endpoint.replace("127.0.0.1", "localhost")
        keys = {"access_key": "AKIDEXAMPLE", "secret_key": "secret"}
        store = S3Objects("bucket", endpoint=s3.endpoint, public_endpoint=public, **keys)
        url = store.presign("key", seconds=60)
        assert url
        assert url.url.startswith(f"{public}/bucket/key?")
        assert fetch(url.url)[2] == b"body"
        assert store.read("key", store.stat("key").version) == b"body"
        store.close()

    def test_a_session_signs_for_no_longer_than_it_surely_lasts(self, s3: S3Server, open_store: Open) -> None:
        fields = {**AS_ROLE, "bucket": "bucket", "s3_endpoint": s3.endpoint}
        store = open_store("s3s", fields)
        short, long = (store.presign("key", seconds=seconds) for seconds in (60, 86_400))
        assert short
        assert long
        assert 479 <= long.expires_at - short.expires_at <= 481
        assert "X-Amz-Security-Token" in long.url


class TestGoogle:
    def test_a_machine_signs_as_the_account_that_it_is(
        self, gcs: GcsServer, identities: Identities, google_machine: None, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("shared.adapters.objects.gcs_client.URL", gcs.endpoint)
        store = GcsObjects("bucket", iam_url=identities.url)
        url = store.presign("key", seconds=60)
        assert url
        assert fetch(url.url)[2] == b"body"
        assert f"/{READER}/" not in url.url
        assert parse_qs(urlsplit(url.url).query)["X-Goog-Credential"][0].startswith(f"{READER}/")
        assert ("signBlob", {"account": READER}) in identities.asked, "itself, by its real name"
        store.close()

    def test_a_machine_that_may_not_sign_as_itself_is_told_its_name(
        self, gcs: GcsServer, identities: Identities, google_machine: None
    ) -> None:
        identities.trusting = False
        store = GcsObjects("bucket", iam_url=identities.url)
        error = refused(lambda: store.presign("key", seconds=60), AccessDeniedError)
        assert f"sign URLs as {READER}: grant the role Service Account Token Creator" in error.message
        store.close()

    def test_who_acts_as_an_account_signs_as_it(
        self, gcs: GcsServer, identities: Identities, identity_settings: Make, open_store: Open, google_process: None
    ) -> None:
        settings = identity_settings(storage_emulator_host=gcs.address)
        store = open_store("gcs_sa", {**AS_READER, "bucket": "bucket"}, settings)
        url = store.presign("key", seconds=60)
        assert url
        assert fetch(url.url)[2] == b"body"
        assert asked(identities, "signBlob") == 1

    @pytest.mark.parametrize("kind", ["gcs_sa", "gcswif"])
    def test_a_refusal_names_the_account_and_the_role(
        self,
        kind: str,
        gcs: GcsServer,
        identities: Identities,
        identity_settings: Make,
        open_store: Open,
        google_process: None,
    ) -> None:
        identities.trusting = False
        given = AS_READER if kind == "gcs_sa" else AS_MEMBER
        store = open_store(kind, {**given, "bucket": "bucket"}, identity_settings(storage_emulator_host=gcs.address))
        error = refused(lambda: store.presign("key", seconds=60), AccessDeniedError)
        assert READER in error.message
        assert "Service Account Token Creator" in error.message
        assert "iam.serviceAccounts.signBlob" in error.detail

    def test_it_is_asked_again_while_it_is_busy(
        self,
        gcs: GcsServer,
        identities: Identities,
        identity_settings: Make,
        open_store: Open,
        google_process: None,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr("shared.adapters.objects.attempts.BACKOFF", 0.001)
        store = open_store("gcs_sa", {**AS_READER, "bucket": "bucket"}, identity_settings())
        assert store.presign("key", seconds=60)
        identities.busy = True
        before = asked(identities, "signBlob")
        refused(lambda: store.presign("key", seconds=60), StoreUnavailableError)
        assert asked(identities, "signBlob") - before == 4

    def test_people_and_pools_without_an_account_sign_nothing(
        self,
        gcs: GcsServer,
        identity_settings: Make,
        open_store: Open,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        member = {name: value for name, value in AS_MEMBER.items() if "email" not in name}
        store = open_store("gcswif", {**member, "bucket": "bucket"}, identity_settings())
        assert store.presign("key", seconds=60) is None
        person = {"type": "authorized_user", "client_id": "i", "client_secret": "s", "refresh_token": "r"}
        (tmp_path / "person.json").write_text(json.dumps(person))
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "person.json"))
        own = GcsObjects("bucket")
        assert own.presign("key", seconds=60) is None
        own.close()

    def test_a_bucket_whose_reader_pays_has_the_payer_signed(self, gcs_process: GcsServer, own_key: str) -> None:
        gcs_process.reset(everything=True)
        gcs_process.put("bucket", "key", "body")
        told = "Bucket is a requester pays bucket but no user project provided."
        gcs_process.faults(
            {"action": "status", "op": "list", "status": 400, "code": "required", "message": told, "count": 1}
        )
        key = service_account(own_key, f"{gcs_process.endpoint}/token")
        store = GcsObjects("bucket", endpoint=gcs_process.endpoint, credentials_json=key, project="payer")
        for _ in range(2):
            url = store.presign("key", seconds=60)
            assert url
            assert "userProject=payer" in url.url
        assert gcs_process.stats()["ops"]["list"] == 2
        store.close()


class TestAzure:
    def test_what_has_only_a_signature_gives_none_away(self) -> None:
        url = f"https://{ACCOUNT}.blob.core.windows.net"
        for given in (
            {"account_name": ACCOUNT, "sas_token": "sp=rwdl&sig=planted"},
            {"connection_string": f"BlobEndpoint={url};SharedAccessSignature=sp=rwdl&sig=planted"},
        ):
            store = AzureObjects("container", **given)
            assert store.presign("key", seconds=60) is None
            store.close()

    def test_a_connection_string_has_a_key(self) -> None:
        text = f"DefaultEndpointsProtocol=https;AccountName={ACCOUNT};AccountKey={KEY};EndpointSuffix=core.windows.net"
        store = AzureObjects("container", connection_string=text)
        url = store.presign("a b", seconds=60)
        assert url
        assert url.url.startswith(f"https://{ACCOUNT}.blob.core.windows.net/container/a%20b?")
        assert KEY not in url.url
        store.close()

    @pytest.mark.emulator
    def test_a_key_is_lent_once_and_again_for_longer(
        self,
        azure_over_https: Running,
        trusted: None,
        open_store: Open,
        identity_settings: Make,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        url = azure_over_https.env["AZURE_BLOB_ENDPOINT"]
        settings = identity_settings(azure_blob_url=url.replace(ACCOUNT, "{account}"))
        store = open_store("azure_spi", {**AS_APPLICATION, "container": "container"}, settings)
        ends = []
        for seconds in (60, 120, 43_200, 7 * 86_400):
            found = store.presign("key", seconds=seconds)
            assert found
            ends.append(parse_qs(urlsplit(found.url).query)["ske"][0])
        assert ends[0] == ends[1] == ends[2] != ends[3]


class Shows:
    """A signer whose signature is the text to be signed."""

    def account(self) -> str:
        return "a@p.iam.gserviceaccount.com"

    def sign(self, text: bytes) -> bytes:
        return text


@pytest.mark.parametrize(
    ("key", "path", "digest"),
    [
        ("img/a.jpg", "img/a.jpg", "553bb38e538eedccd64f0b6b9724834837323f6643631281bb40240247a9bcdb"),
        (
            "a b/ü&=+~'()*!,;:@$#?%41.mp4",
            "a%20b/%C3%BC%26%3D%2B~%27%28%29%2A%21%2C%3B%3A%40%24%23%3F%2541.mp4",
            "073968157f216cd5d6e94f60708886c1830f219871e215ace08b9249ba0d638c",
        ),
        ("x//y/../z", "x//y/../z", "0236c250eee44967f4d66302c02f0523abdd13ffc1e91c2a2ac8f0b1382471c8"),
        (
            "emoji-\U0001f600",
            "emoji-%F0%9F%98%80",
            "f23adf3bbee6d157244f88e28b335aef8f70f1b52c2ec57a3060319804460fcd",
        ),
    ],
    ids=ascii,
)
def test_google_signs_what_its_own_library_does(
    key: str, path: str, digest: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Recorded from google-cloud-storage's `generate_signed_url`, at ten o'clock on this day."""
    monkeypatch.setattr("shared.adapters.objects.gcs_signing.time.time", lambda: 1_795_514_400.0)
    query = {"response-content-type": "video/mp4", "userProject": "payer"}
    signed = sign(Shows(), "https://storage.googleapis.com", Wanted("GET", "bucket-1", key, 600, query))
    address, _, signature = signed.url.partition("&X-Goog-Signature=")
    scope = "20261124/auto/storage/goog4_request"
    assert address == (
        f"https://storage.googleapis.com/bucket-1/{path}?X-Goog-Algorithm=GOOG4-RSA-SHA256"
        f"&X-Goog-Credential=a%40p.iam.gserviceaccount.com%2F{scope.replace('/', '%2F')}&X-Goog-Date=20261124T100000Z"
        "&X-Goog-Expires=600&X-Goog-SignedHeaders=host&response-content-type=video%2Fmp4&userProject=payer"
    )
    text = bytes.fromhex(signature).decode()
    assert text == f"GOOG4-RSA-SHA256\n20261124T100000Z\n{scope}\n{digest}"
    assert signed.expires_at == 1_795_515_000
