"""The SDK's other types of storages: the same buckets, read by a role, a service account or an application."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from azure.storage.blob import ContainerClient

from infra.bench.s3_process import GcsServer, S3Server
from infra.emulators import Running
from infra.emulators.azurite import ACCOUNT, KEY
from tests.identities import (
    AS_APPLICATION,
    AS_MEMBER,
    AS_READER,
    AS_ROLE,
    azure_over_https,
    certificate,
    google_process,
    identities,
    own_key,
    trusted,
)
from tests.identity_servers import SUBJECT, Identities
from tests.sdk import buckets
from tests.sdk.buckets import PICTURES, Bucket
from tests.sdk.client import Sdk
from tests.sdk.test_export_storages import use_export_storage
from tests.sdk.test_import_storages import use_import_storage

__all__ = ["azure_over_https", "certificate", "google_process", "identities", "own_key", "trusted"]
pytestmark = pytest.mark.parametrize("platform", ["embedded"], indirect=True)


@pytest.fixture
def overrides(identities: Identities, tmp_path: Path) -> dict[str, Any]:
    """Settings that lead to the servers that say who somebody is."""
    (tmp_path / "subject").write_text(SUBJECT)
    return {
        "aws_sts_endpoint": identities.url,
        "google_sts_url": f"{identities.url}/v1/token",
        "google_iam_credentials_url": identities.url,
        "google_credential_source": json.dumps({"file": str(tmp_path / "subject")}),
        "azure_login_url": f"{identities.url}/",
    }


def split(given: dict[str, Any], *secrets: str) -> dict[str, dict[str, Any]]:
    """Public arguments and secret ones."""
    return {
        "place": {name: value for name, value in given.items() if name not in secrets},
        "secrets": {name: given[name] for name in secrets},
    }


def use(sdk: Sdk, kind: str, bucket: Bucket) -> None:
    use_import_storage(sdk, kind, bucket)
    use_export_storage(sdk, kind, bucket)


def as_somebody(bucket: Bucket, given: dict[str, Any], *secrets: str) -> Bucket:
    """The bucket, connected with these arguments instead of a key."""
    parts = split(given, *secrets)
    place = {**bucket.place, **parts["place"]}
    return Bucket(
        place=place,
        below=bucket.below,
        out=bucket.out,
        secrets=parts["secrets"],
        wrong=bucket.wrong,
        keys=bucket.keys,
        objects=bucket.objects,
        named=False,
    )


def test_a_role(sdk: Sdk, s3_process: S3Server, identities: Identities):
    bucket = buckets.s3(s3_process)
    s3_process.access(identities.session[0], identities.session[2])
    use(sdk, "s3s", as_somebody(bucket, AS_ROLE, "external_id", "aws_access_key_id", "aws_secret_access_key"))
    assert identities.issued
    s3_process.reset(everything=True)


@pytest.mark.parametrize(("kind", "given"), [("gcswif", AS_MEMBER), ("gcs_sa", AS_READER)])
def test_a_service_account(
    sdk: Sdk, gcs_process: GcsServer, identities: Identities, google_process: None, kind: str, given: dict[str, Any]
):
    bucket = buckets.gcs(gcs_process)
    gcs_process.access(identities.token("impersonated"))
    use(sdk, kind, as_somebody(bucket, given))
    assert identities.issued
    gcs_process.reset(everything=True)


@pytest.mark.emulator
class TestApplication:
    @pytest.fixture
    def overrides(self, overrides: dict[str, Any], azure_over_https: Running, trusted: None) -> dict[str, Any]:
        url = azure_over_https.env["AZURE_BLOB_ENDPOINT"].replace(ACCOUNT, "{account}")
        return {**overrides, "azure_blob_url": url}

    @pytest.fixture
    def container(self, azure_over_https: Running, certificate: tuple[str, str]) -> Iterator[Bucket]:
        url, account = azure_over_https.env["AZURE_BLOB_ENDPOINT"], {"account_name": ACCOUNT, "account_key": KEY}
        with ContainerClient(url, "pictures", credential=account, connection_verify=certificate[0]) as client:
            client.create_container()
            for key, body in PICTURES.items():
                client.upload_blob(key, body)
            parts = split(AS_APPLICATION, "client_secret")
            yield Bucket(
                place={"container": "pictures", **parts["place"]},
                below={"prefix": "img"},
                out={"prefix": "out"},
                secrets=parts["secrets"],
                wrong={"container": "nowhere"},
                keys=list(PICTURES),
                objects=lambda: {key: client.download_blob(key).readall() for key in client.list_blob_names()},
                named=False,
            )
            client.delete_container()

    def test_an_application(self, sdk: Sdk, container: Bucket):
        use(sdk, "azure_spi", container)
