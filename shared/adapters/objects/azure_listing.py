"""Reads the pages of Azure's List Blobs: names exactly as they are, and a version that outlives edits of metadata."""

from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import NamedTuple
from urllib.parse import unquote

from lxml import etree

from shared.errors import StoreError, StoreUnavailableError
from shared.ports import ObjectInfo


class Page(NamedTuple):
    """A page; there is another one if `marker` is not empty, however short or empty this one is."""

    objects: list[ObjectInfo]
    marker: str


def version_of(kind: str, md5: str, size: int, etag: str) -> str:
    """`md5:<digest>:<size>` of a block blob that has a digest, else `etag:<etag>`.

    An ETag changes with metadata and tags too. A digest is only true of block blobs: what is appended, or written
    into a page, leaves it as it was.
    """
    return f"md5:{md5}:{size}" if md5 and kind == "BlockBlob" else "etag:" + etag.strip('"')


def described(key: str, headers: Mapping[str, str], size: int) -> ObjectInfo:
    """An object by the headers of its answer."""
    try:
        modified = parsedate_to_datetime(headers["last-modified"]).timestamp()
        kind = headers.get("content-type", "")
        return ObjectInfo(key, size, version_in(headers, size), modified, content_type=kind)
    except (KeyError, ValueError) as caught:
        raise StoreError("The store's answer is not what Azure says", detail=str(caught)) from None


def version_in(headers: Mapping[str, str], size: int) -> str:
    """The version an answer is of: a part has its own Content-MD5, and the blob's under another name."""
    md5 = headers.get("x-ms-blob-content-md5") or ("" if "content-range" in headers else headers.get("content-md5", ""))
    return version_of(headers.get("x-ms-blob-type", ""), md5, size, headers.get("etag", ""))


def parse_page(body: bytes) -> Page:
    """Reads an answer; directories of hierarchical accounts are no objects. Raises `StoreError` for other documents."""
    # A parser of its own for each call: threads would wait for each other with a shared one.
    parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False)
    try:
        root = etree.fromstring(body, parser)
    except etree.XMLSyntaxError as caught:
        # As likely a connection that was cut as a server that will never learn.
        raise StoreUnavailableError("The store's listing is not readable XML", detail=caught.msg or "") from None
    if root.tag != "EnumerationResults":
        raise StoreError("The store's answer is not a listing", detail=str(root.tag))
    times: dict[str, float] = {}
    objects: list[ObjectInfo] = []
    try:
        for blob in root.iter("Blob"):
            parts = {element.tag: element for element in blob}
            name, told = parts["Name"], {element.tag: element.text or "" for element in parts["Properties"]}
            size = int(told["Content-Length"])
            if _is_folder(blob, told, size):
                continue
            key = name.text or ""
            if name.get("Encoded") == "true":
                key = unquote(key, errors="strict")
            time = told["Last-Modified"]
            if time not in times:
                times[time] = parsedate_to_datetime(time).timestamp()
            version = version_of(told["BlobType"], told.get("Content-MD5", ""), size, told["Etag"])
            kind = told.get("Content-Type", "")
            objects.append(ObjectInfo(key, size, version, times[time], content_type=kind))
    except (KeyError, ValueError) as caught:
        raise StoreError("The store's listing lacks what Azure says of a blob", detail=str(caught)) from None
    return Page(objects, root.findtext("NextMarker") or "")


def _is_folder(blob: "etree._Element", told: Mapping[str, str], size: int) -> bool:
    """Whether a blob stands for a directory, as accounts with a hierarchy and Hadoop keep them."""
    if told.get("ResourceType") == "directory":
        return True
    return size == 0 and (blob.findtext("Metadata/hdi_isfolder") or "").lower() == "true"
