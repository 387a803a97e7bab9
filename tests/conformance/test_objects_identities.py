"""The suite against stores that are opened in another way: nothing but the right identity gets in, so it is used."""

from collections.abc import Callable, Iterator
from itertools import count
from typing import Any, ClassVar

import pytest
from azure.storage.blob import ContainerClient

from infra.bench.s3_process import GcsServer, S3Server, gcs_server, s3_server
from infra.emulators import Running
from infra.emulators.azurite import ACCOUNT, KEY
from shared.ports import ObjectStore
from shared.settings import Settings
from tests.conformance.objects import ObjectStoreContract
from tests.conformance.objects_place import Place
from tests.conformance.objects_signing import SigningContract
from tests.conformance.test_objects_cloud import gcs_supports, put_all
from tests.identities import (
    AS_APPLICATION,
    AS_MEMBER,
    AS_READER,
    AS_ROLE,
    azure_over_https,
    certificate,
    google_process,
    google_workload,
    identities,
    identity_settings,
    open_store,
    own_key,
    trusted,
)
from tests.identity_servers import WEB_ROLE, Identities

__all__ = ["azure_over_https", "certificate", "google_process", "identities", "identity_settings", "open_store"]
__all__ += ["own_key", "trusted"]

Open = Callable[..., ObjectStore]
buckets = (f"bucket-{i}" for i in count())


@pytest.fixture(scope="module")
def s3() -> Iterator[S3Server]:
    with s3_server() as server:
        yield server


@pytest.fixture(scope="module")
def gcs() -> Iterator[GcsServer]:
    with gcs_server() as server:
        yield server


class TestRole(ObjectStoreContract, SigningContract):
    @pytest.fixture
    def place(self, s3: S3Server, identities: Identities, open_store: Open) -> Iterator[Place]:
        name = next(buckets)
        s3.bucket(name)
        key, secret, token = identities.session
        s3.access(key, token)
        s3.signers(secret=secret)
        yield Place(
            store=open_store("s3s", {**AS_ROLE, "bucket": name, "s3_endpoint": s3.endpoint}),
            put=lambda key, body: s3.put(name, key, body),
            put_many=lambda objects: s3.put_many(name, objects),
            remove=lambda key: s3.delete(name, key),
            verifies=True,
            missing=open_store("s3s", {**AS_ROLE, "bucket": f"{name}-missing", "s3_endpoint": s3.endpoint}),
        )
        s3.drop(name)


class TestWebIdentity(ObjectStoreContract, SigningContract):
    """Of a storage without keys, where the process is a service account of Google's."""

    @pytest.fixture
    def place(
        self, s3: S3Server, identities: Identities, open_store: Open, identity_settings: Callable[..., Settings]
    ) -> Iterator[Place]:
        name = next(buckets)
        s3.bucket(name)
        key, secret, token = identities.web_session
        s3.access(key, token)
        s3.signers(secret=secret)
        settings = identity_settings(aws_web_identity_role_arn=WEB_ROLE)
        yield Place(
            store=open_store("s3", {"bucket": name, "s3_endpoint": s3.endpoint}, settings),
            put=lambda key, body: s3.put(name, key, body),
            put_many=lambda objects: s3.put_many(name, objects),
            remove=lambda key: s3.delete(name, key),
            verifies=True,
            missing=open_store("s3", {"bucket": f"{name}-missing", "s3_endpoint": s3.endpoint}, settings),
        )
        s3.drop(name)


def gcs_place(kind: str, given: dict[str, str], server: GcsServer, open_store: Open, settings: Settings) -> Place:
    name = next(buckets)
    server.bucket(name)
    return Place(
        store=open_store(kind, {**given, "bucket": name}, settings),
        put=lambda key, body: server.put(name, key, body),
        put_many=lambda objects: server.put_many(name, objects),
        remove=lambda key: server.delete(name, key),
        supports=gcs_supports,
        verifies=True,
        missing=open_store(kind, {**given, "bucket": f"{name}-missing"}, settings),
    )


class TestImpersonation(ObjectStoreContract, SigningContract):
    @pytest.fixture
    def place(
        self,
        gcs: GcsServer,
        identities: Identities,
        open_store: Open,
        google_process: None,
        identity_settings: Callable[..., Settings],
    ) -> Place:
        gcs.access(identities.token("impersonated"))
        gcs.signers(public_key=identities.public_key)
        settings = identity_settings(storage_emulator_host=gcs.address)
        return gcs_place("gcs_sa", AS_READER, gcs, open_store, settings)


class TestFederation(ObjectStoreContract, SigningContract):
    @pytest.fixture
    def place(
        self, gcs: GcsServer, identities: Identities, open_store: Open, identity_settings: Callable[..., Settings]
    ) -> Place:
        gcs.access(identities.token("impersonated"))
        gcs.signers(public_key=identities.public_key)
        settings = identity_settings(storage_emulator_host=gcs.address)
        return gcs_place("gcswif", AS_MEMBER, gcs, open_store, settings)


@pytest.mark.emulator
class TestApplication(ObjectStoreContract, SigningContract):
    """As for an account's key, the tests with thousands are left out."""

    as_whom: ClassVar[dict[str, str]] = AS_APPLICATION
    process: ClassVar[dict[str, Any]] = {}

    @pytest.fixture
    def place(
        self,
        azure_over_https: Running,
        certificate: tuple[str, str],
        trusted: None,
        open_store: Open,
        identity_settings: Callable[..., Settings],
    ) -> Iterator[Place]:
        name, url = next(buckets), azure_over_https.env["AZURE_BLOB_ENDPOINT"]
        account = {"account_name": ACCOUNT, "account_key": KEY}
        with ContainerClient(url, name, credential=account, connection_verify=certificate[0]) as container:
            container.create_container()
            settings = identity_settings(azure_blob_url=url.replace(ACCOUNT, "{account}"), **self.process)
            store = open_store("azure_spi", {**self.as_whom, "container": name}, settings)
            yield Place(
                store=store,
                put=lambda key, body: store.write(key, body, content_type="text/plain"),
                remove=store.delete,
                put_many=lambda objects: put_all(store, objects),  # type: ignore[arg-type]
                supports=lambda key: not {"\\", "\x01", "\ufffe"} & set(key),
                many=900,
                verifies=True,
                missing=open_store("azure_spi", {**self.as_whom, "container": f"{name}-missing"}, settings),
            )
            container.delete_container()

    test_many_objects_come_in_pages = None  # type: ignore[assignment]
    test_a_listing_survives_changes_between_its_pages = None  # type: ignore[assignment]


class TestApplicationByGoogle(TestApplication):
    """The same application, which a service account of Google's signs in as."""

    as_whom: ClassVar[dict[str, str]] = {"account_name": ACCOUNT, "auth_mode": "workload_identity"}
    process: ClassVar[dict[str, Any]] = google_workload()
