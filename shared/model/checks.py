"""What texts of settings must look like, told in a sentence where they do not."""

import re
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from shared.model.fields import Check

BUCKET_NAME = re.compile(r"[a-zA-Z0-9.\-_]{1,255}")
"""What botocore accepts."""
HOST_NAME = re.compile(r"[a-zA-Z0-9._:\-]{1,255}")
"""A name, or an address of either kind."""


def _check_bucket(text: str) -> str:
    if BUCKET_NAME.fullmatch(text):
        return ""
    return f'Invalid bucket name "{text}": use letters, digits, dots, dashes and underscores.'


def _check_host(text: str) -> str:
    return "" if HOST_NAME.fullmatch(text) else "Not a valid host: write its name or its address alone."


def _check_port(text: str) -> str:
    valid = text.isascii() and text.isdecimal() and len(text) <= 5 and 0 < int(text) < 65536
    return "" if valid else "Not a valid port: write a number from 1 to 65535."


def _check_url(text: str) -> str:
    try:
        url = urlsplit(text)
        valid = url.scheme in {"http", "https"} and url.hostname and (url.port is None or url.port)
        # The address is shown to people, so nothing secret may be in it.
        valid = valid and "@" not in url.netloc and not url.query and not url.fragment
    except ValueError:
        valid = False
    return "" if valid else "Not a valid URL: write it like https://minio.example.org:9000."


def _like(pattern: str, example: str) -> Callable[[str], str]:
    matches = re.compile(pattern).fullmatch
    return lambda text: "" if matches(text) else f"Not valid: write it like {example}."


CHECKS: Mapping[Check, Callable[[str], str]] = {
    "bucket": _check_bucket,
    "host": _check_host,
    "port": _check_port,
    "url": _check_url,
    "role": _like(
        r"arn:aws[a-z-]*:iam::[0-9]{12}:role/[A-Za-z0-9+=,.@_/-]{1,600}", "arn:aws:iam::123456789012:role/reader"
    ),
    "external_id": _like("[A-Za-z0-9_+=,.@:/-]{2,1224}", "a2f6c1d0-customer"),
    "number": _like("[0-9]{1,30}", "123456789012"),
    "pool": _like("[a-z0-9-]{1,64}", "labelling-pool"),
    "email": _like("[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+", "reader@my-project.iam.gserviceaccount.com"),
    "account": _like("[a-z0-9-]{3,63}", "mystorageaccount"),
    # A part of an address, so neither "." nor "..".
    "id": _like("[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?", "72f988bf-86f1-41af-91ab-2d7cd011db47"),
}
"""What is wrong with a text, empty if nothing is."""
