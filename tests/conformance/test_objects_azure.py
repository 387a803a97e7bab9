"""What only Azure has: ways to say who asks, versions, directories that are blobs, names that are no XML."""

import traceback
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest
from azure.storage.blob import ContainerClient, ContainerSasPermissions, generate_container_sas

from infra.emulators import Running
from infra.emulators.azurite import ACCOUNT, KEY
from shared.adapters.objects.azure import AzureObjects
from shared.adapters.objects.azure_errors import answered
from shared.adapters.objects.azure_listing import parse_page
from shared.adapters.objects.http import Answer
from shared.errors import (
    AccessDeniedError,
    BucketNotFoundError,
    CredentialsError,
    ObjectError,
    ObjectNotFoundError,
    StoreError,
    StoreUnavailableError,
    StoreUnreachableError,
    VersionMismatchError,
)
from tests.conformance.objects_place import keys_of, listed
from tests.emulators_buckets import azure_emulator

__all__ = ["azure_emulator"]

names = (f"only-{i}" for i in count())
Connect = Callable[..., AzureObjects]


@pytest.fixture
def container(azure_emulator: Running) -> Iterator[ContainerClient]:
    endpoint = f"{azure_emulator.url}/{ACCOUNT}"
    with ContainerClient(endpoint, next(names), credential={"account_name": ACCOUNT, "account_key": KEY}) as client:
        client.create_container()
        yield client
        client.delete_container()


@pytest.fixture
def connect(azure_emulator: Running, container: ContainerClient, monkeypatch: pytest.MonkeyPatch) -> Iterator[Connect]:
    monkeypatch.setattr("shared.adapters.objects.attempts.BACKOFF", 0.001)
    opened = []

    def make(**options: Any) -> AzureObjects:
        fixed = {"endpoint": f"{azure_emulator.url}/{ACCOUNT}", "attempts": 2}
        store = AzureObjects(container.container_name, **(fixed | options))
        opened.append(store)
        return store

    yield make
    for store in opened:
        store.close()


@pytest.fixture
def store(connect: Connect) -> AzureObjects:
    return connect(account_name=ACCOUNT, account_key=KEY)


def signature(container: ContainerClient, **allowed: bool) -> str:
    name, expiry = container.container_name, datetime.now(UTC) + timedelta(minutes=5)
    permission = ContainerSasPermissions(**allowed)
    return generate_container_sas(ACCOUNT, name, account_key=KEY, permission=permission, expiry=expiry)


# Identity.


@pytest.mark.emulator
class TestIdentity:
    def test_a_shared_access_signature(self, container: ContainerClient, connect: Connect):
        store = connect(sas_token="?" + signature(container, read=True, list=True))
        container.upload_blob("key", b"body")
        assert [store.read(info.key, info.version) for info in listed(store)] == [b"body"]
        with pytest.raises(StoreError) as caught:
            store.write("key", b"", content_type="text/plain")
        assert isinstance(caught.value, AccessDeniedError | CredentialsError)
        assert_clean(caught.value, "sig=")

    def test_a_connection_string(self, azure_emulator: Running, container: ContainerClient, connect: Connect):
        where = f"BlobEndpoint={azure_emulator.url}/{ACCOUNT}"
        sas = signature(container, read=True, list=True, write=True)
        for text in (
            f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={KEY};{where};",
            f"{where};SharedAccessSignature={sas}",
        ):
            store = connect(connection_string=text, endpoint=None)
            version = store.write("key", b"body", content_type="text/plain")
            assert store.read("key", version) == b"body"

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({}, "Azure account name and key must be set"),
            ({"account_name": ACCOUNT}, "Azure account name and key must be set"),
            ({"account_key": KEY}, "Azure account name and key must be set"),
            ({"account_name": "evil.example/x?", "account_key": KEY}, "account_name is not a valid name"),
            ({"account_name": ACCOUNT, "account_key": "PLANTED-PLANTED"}, "account_key is not a valid key"),
            ({"connection_string": "AccountKey=PLANTED-PLANTED"}, "connection_string is not valid"),
        ],
    )
    def test_what_is_missing_or_wrong_is_told(self, options: dict[str, Any], message: str, connect: Connect):
        with pytest.raises(CredentialsError, match=message) as caught:
            connect(**options).check()
        assert_clean(caught.value, "PLANTED", KEY)

    def test_nothing_answers(self, connect: Connect):
        store = connect(account_name=ACCOUNT, account_key=KEY, endpoint="http://127.0.0.1:9/x")
        with pytest.raises(StoreUnreachableError, match="Cannot reach Azure") as caught:
            store.check()
        assert_clean(caught.value, KEY, "sig=")


def assert_clean(error: BaseException, *secrets: str) -> None:
    texts = ["".join(traceback.format_exception(error)), str(error), getattr(error, "detail", "")]
    assert not [secret for secret in secrets for text in texts if secret in text]


# Versions.


@pytest.mark.emulator
class TestVersions:
    def test_an_edit_of_metadata_is_no_change(self, container: ContainerClient, store: AzureObjects):
        version = store.write("key", b"body", content_type="text/plain")
        assert version.startswith("md5:")
        container.get_blob_client("key").set_blob_metadata({"seen": "yes"})
        assert listed(store)[0].version == store.stat("key").version == version
        assert store.read("key", version) == store.read("key", version, length=99) == b"body"
        store.write("key", b"same", content_type="text/plain", expect=version)
        with pytest.raises(VersionMismatchError):
            store.read("key", version, offset=99)

    def test_a_blob_without_digest_goes_by_its_etag(self, container: ContainerClient, store: AzureObjects):
        blob = container.get_blob_client("key")
        blob.stage_block("a", b"in blocks")
        blob.commit_block_list(["a"])
        version = listed(store)[0].version
        assert version.startswith("etag:")
        assert version == store.stat("key").version
        assert store.read("key", version) == b"in blocks"
        assert store.read("key", version, offset=3, length=3) == b"blo"
        blob.commit_block_list(["a"])
        for limits in ({}, {"length": 2}, {"offset": 99}):
            with pytest.raises(VersionMismatchError):
                store.read("key", version, **limits)
        newer = store.write("key", b"whole", content_type="text/plain", expect=store.stat("key").version)
        assert store.read("key", newer) == b"whole"

    def test_what_was_appended_is_another_version(self, container: ContainerClient, store: AzureObjects):
        blob = container.get_blob_client("log")
        blob.create_append_blob()
        blob.append_block(b"one")
        version = listed(store)[0].version
        blob.append_block(b"two")
        assert listed(store)[0].version != version
        with pytest.raises(VersionMismatchError):
            store.read("log", version)


@pytest.mark.emulator
def test_directories_are_no_objects(container: ContainerClient, store: AzureObjects) -> None:
    container.upload_blob("dir", b"", metadata={"hdi_isfolder": "true"})
    container.upload_blob("dir/file", b"x")
    container.upload_blob("empty", b"", metadata={"other": "true"})
    assert keys_of(store) == ["dir/file", "empty"]


# Listings and refusals, without a server.


def page(*blobs: str, marker: str = "") -> bytes:
    listing = f"<Blobs>{''.join(blobs)}</Blobs><NextMarker>{marker}</NextMarker>"
    return f"<?xml version='1.0'?><EnumerationResults>{listing}</EnumerationResults>".encode()


def blob(name: str, kind: str = "BlockBlob", more: str = "", md5: str = "bWQ1") -> str:
    return (
        f"<Blob>{name}<Properties><Last-Modified>Fri, 02 Jan 2026 03:04:05 GMT</Last-Modified><Etag>0x8D</Etag>"
        f"<Content-Length>7</Content-Length><Content-MD5>{md5}</Content-MD5><BlobType>{kind}</BlobType>{more}"
        "</Properties></Blob>"
    )


def test_an_entry_is_read_whole() -> None:
    found = parse_page(page(blob("<Name>a%2Bb</Name>"), marker="m"))
    assert found.marker == "m"
    assert found.objects == [("a%2Bb", 7, "md5:bWQ1:7", 1767323045.0, "", "")]
    assert parse_page(page(blob("<Name Encoded='true'>a%01%EF%BF%BE</Name>"))).objects[0].key == "a\x01\ufffe"


def test_a_digest_counts_for_block_blobs_only() -> None:
    kinds = [("BlockBlob", "bWQ1"), ("PageBlob", "bWQ1"), ("AppendBlob", "bWQ1"), ("BlockBlob", "")]
    found = parse_page(page(*(blob("<Name>a</Name>", kind, md5=md5) for kind, md5 in kinds))).objects
    assert [info.version for info in found] == ["md5:bWQ1:7", "etag:0x8D", "etag:0x8D", "etag:0x8D"]


def test_directories_of_a_hierarchy_are_no_objects() -> None:
    directory = blob("<Name>dir</Name>", more="<ResourceType>directory</ResourceType>")
    assert [info.key for info in parse_page(page(directory, blob("<Name>dir/a</Name>"))).objects] == ["dir/a"]


@pytest.mark.parametrize(
    "body", [b"", b"<html/>", b"{}", page("<Blob><Name>a</Name></Blob>"), page(blob("<Name>\x01</Name>"))]
)
def test_what_is_no_listing_is_an_error(body: bytes) -> None:
    with pytest.raises(StoreError, match="The store's"):
        parse_page(body)


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "InvalidQueryParameterValue", StoreError),
        (403, "AuthenticationFailed", CredentialsError),
        (403, "AuthorizationPermissionMismatch", AccessDeniedError),
        (404, "ContainerNotFound", BucketNotFoundError),
        (404, "BlobNotFound", ObjectNotFoundError),
        (409, "BlobAlreadyExists", VersionMismatchError),
        (409, "BlobArchived", ObjectError),
        (412, "ConditionNotMet", VersionMismatchError),
        (500, "OperationTimedOut", StoreUnavailableError),
        (503, "ServerBusy", StoreUnavailableError),
    ],
)
def test_a_refusal_is_one_of_our_errors(status: int, code: str, kind: type[StoreError]) -> None:
    body = f"<Error><Code>{code}</Code><Message>told AccountKey=PLANTED\nRequestId:0</Message></Error>".encode()
    error = answered(Answer(status, {}, body), "c", "key", ["PLANTED"])
    assert type(error) is kind
    assert error.detail == f"{code}: told AccountKey=***"
