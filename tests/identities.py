"""Fixtures for storages that authenticate in another way: servers to ask, and stores opened as the API opens them."""

import json
import traceback
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from infra.bench.s3_process import GcsServer, gcs_server
from infra.emulators import Running, azurite, running
from shared.adapters.objects.opening import Stores
from shared.errors import StoreError
from shared.model.providers import PROVIDERS
from shared.model.storage import Storage, clean
from shared.ports import ObjectStore
from shared.settings import Settings
from tests.emulators import require
from tests.identity_servers import (
    ASSERTION,
    AWS_KEYS,
    CLIENT,
    CLIENT_SECRET,
    EXTERNAL_ID,
    POOL,
    READER,
    ROLE,
    SUBJECT,
    TENANT,
    Identities,
    identity_server,
)

AS_ROLE = {
    "role_arn": ROLE,
    "external_id": EXTERNAL_ID,
    "aws_access_key_id": AWS_KEYS[0],
    "aws_secret_access_key": AWS_KEYS[1],
}
TOKENS = "eyJ"
"""What every signed token begins with."""
AS_MEMBER = {**POOL, "google_service_account_email": READER}
AS_READER = {"target_service_account_email": READER}
AS_APPLICATION = {
    "account_name": azurite.ACCOUNT,
    "tenant_id": TENANT,
    "client_id": CLIENT,
    "client_secret": CLIENT_SECRET,
}


@pytest.fixture
def identities() -> Iterator[Identities]:
    with identity_server() as server:
        yield server


@pytest.fixture(scope="module")
def gcs_process() -> Iterator[GcsServer]:
    with gcs_server() as server:
        yield server


@pytest.fixture
def gcs(gcs_process: GcsServer, identities: Identities) -> GcsServer:
    """A server with one object, for the impersonated service account; it looks at signatures."""
    gcs_process.reset(everything=True)
    gcs_process.put("bucket", "key", "body")
    gcs_process.access(identities.token("impersonated"))
    gcs_process.signers(public_key=identities.public_key)
    return gcs_process


@pytest.fixture
def identity_settings(identities: Identities, tmp_path: Path) -> Callable[..., Settings]:
    """Settings that lead to the servers; given ones win."""
    (tmp_path / "subject").write_text(SUBJECT)
    (tmp_path / "assertion").write_text(ASSERTION + "\n")

    def make(base: Settings | None = None, **more: Any) -> Settings:
        known = {name: getattr(base, name) for name in Settings.__dataclass_fields__} if base else {}
        ours = {
            "aws_sts_endpoint": identities.url,
            "google_sts_url": f"{identities.url}/v1/token",
            "google_iam_credentials_url": identities.url,
            "google_credential_source": json.dumps({"file": str(tmp_path / "subject")}),
            "azure_login_url": f"{identities.url}/",
            "google_metadata_host": identities.url.removeprefix("http://"),
            "connect_timeout": 2.0,
            "read_timeout": 10.0,
        }
        return Settings(**{**known, **ours, **more})

    return make


def federated_file(tmp_path: Path) -> dict[str, str]:
    """Settings of a process that Azure knows by a federated token."""
    return {
        "azure_federated_token_file": str(tmp_path / "assertion"),
        "azure_tenant_id": TENANT,
        "azure_client_id": CLIENT,
    }


def google_workload() -> dict[str, Any]:
    """Settings of a process that Azure knows by its Google service account."""
    return {"azure_google_identity": True, "azure_tenant_id": TENANT, "azure_client_id": CLIENT}


@pytest.fixture
def google_machine(identities: Identities, monkeypatch: pytest.MonkeyPatch) -> None:
    """This process is the service account of the machine that it runs on."""
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    monkeypatch.setenv("CLOUDSDK_CONFIG", "/nonexistent")
    here = identities.url.removeprefix("http://")
    monkeypatch.setenv("GCE_METADATA_IP", here)
    for name, value in {"_GCE_METADATA_HOST": here, "_NO_GCE_CHECK": False}.items():
        monkeypatch.setattr(f"google.auth.compute_engine._metadata.{name}", value)  # read when it is imported


@pytest.fixture
def open_store(identity_settings: Callable[..., Settings]) -> Iterator[Callable[..., ObjectStore]]:
    """Opens the bucket of a storage of these fields, as the services do."""
    opened = []

    def make(kind: str, given: dict[str, Any], settings: Settings | None = None) -> ObjectStore:
        config = clean(PROVIDERS[kind], given, partial=False)
        secrets = {name: config.pop(name) or "" for name in PROVIDERS[kind].secrets}
        storage = Storage(id=1, type=kind, project=1, created_at=0.0, config=config, secrets=b"", meta={})
        opened.append(Stores(settings or identity_settings()))
        return opened[-1].open(storage, secrets)

    yield make
    for stores in opened:
        stores.close()


@pytest.fixture(scope="session")
def own_key() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return key.private_bytes(encoding, form, serialization.NoEncryption()).decode()


def service_account(private_key: str, token_url: str) -> str:
    """The key file of a service account."""
    account = {"type": "service_account", "project_id": "p", "private_key_id": "id", "private_key": private_key}
    return json.dumps({**account, "client_email": "sluice@p.iam.gserviceaccount.com", "token_uri": token_url})


def public(private_key: str) -> str:
    """The other half of a key."""
    key = serialization.load_pem_private_key(private_key.encode(), None).public_key()
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()


@pytest.fixture
def google_process(identities: Identities, own_key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """This process is a service account of Google's, by Application Default Credentials."""
    (tmp_path / "own.json").write_text(service_account(own_key, f"{identities.url}/token"))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "own.json"))


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """Files of a certificate for 127.0.0.1 and of its key."""
    folder = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=2))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    paths = str(folder / "cert.pem"), str(folder / "key.pem")
    Path(paths[0]).write_bytes(made.public_bytes(serialization.Encoding.PEM))
    form = serialization.PrivateFormat.PKCS8
    Path(paths[1]).write_bytes(key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()))
    return paths


@pytest.fixture(scope="session")
def azure_over_https(certificate: tuple[str, str]) -> Iterator[Running]:
    """Azurite, which takes bearer tokens over HTTPS alone."""
    with running(require(azurite.find(certificate))) as emulator:
        yield emulator


@pytest.fixture
def trusted(certificate: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The certificate counts."""
    monkeypatch.setenv("SSL_CERT_FILE", certificate[0])


def refused(call: Callable[[], object], kind: type[StoreError]) -> StoreError:
    """The error, after a look for secrets and for anything of a provider's behind it."""
    with pytest.raises(StoreError) as caught:
        call()
    error = caught.value
    assert type(error) is kind, repr(error)
    text = "".join(traceback.format_exception(error)) + str(error) + error.detail
    for secret in ("planted", *AWS_KEYS, EXTERNAL_ID, SUBJECT, CLIENT_SECRET, ASSERTION, TOKENS):
        assert secret not in text
    seen: BaseException | None = error
    while seen:
        assert isinstance(seen, StoreError), "a provider's exception may hold a secret"
        seen = seen.__cause__ or seen.__context__
    return error
