"""Takes credentials out of what a provider said, before anyone keeps it."""

import re
from collections.abc import Iterable
from urllib.parse import quote, quote_plus

MAX_LENGTH = 500
GAP = "***"

_PATTERNS = [
    (re.compile(r"(?i)(\b[a-z][a-z0-9+.-]*://)[^\s/@\"'<>]*@"), rf"\1{GAP}@"),
    (re.compile(r"(?i)((?:\b[a-z][a-z0-9+.-]*://|(?<=\s)/)[^\s?\"'<>]*)\?[^\s\"'<>]*"), rf"\1?{GAP}"),
    # S3 answers a wrong signature with everything that went into it.
    (
        re.compile(
            r"(?is)<(AWSAccessKeyId|SignatureProvided|StringToSign|StringToSignBytes|CanonicalRequest|"
            r"CanonicalRequestBytes|Token-0|Token)>.*?(</\1>|$)"
        ),
        GAP,
    ),
    (re.compile(r"(?i)\b(AWS4-HMAC-SHA256|Bearer|Basic|SharedKey)\s+[^\r\n<\"']+"), rf"\1 {GAP}"),
    (
        re.compile(
            r"(?i)((?:x-amz-)?(?:signature|credential|security-token|session[_-]?token|aws_?access_?key_?id|"
            r"(?:aws_)?secret(?:_access)?_?key|account_?key|access_?key|password|passwd|sig|token)"
            r"[\"']?\s*[=:]\s*[\"']?)[^\s&\"',;<>)]+"
        ),
        rf"\1{GAP}",
    ),
    (re.compile(r"\beyJ[\w-]{8,}\.[\w-]+\.[\w-]*"), GAP),
    (re.compile(r"\b(?:AKIA|ASIA|AROA|AIDA|AGPA|ANPA|ABIA|ACCA)[A-Z0-9]{8,}"), GAP),
]


def redact(text: str, known: Iterable[str] = ()) -> str:
    """The text without URLs' queries, tokens, signatures, keys and the `known` secrets, cut to 500 characters."""
    # Nothing shorter is secret, and taking out every "a" would leave no text.
    for secret in sorted((value for value in tuple(known) if len(value) > 3), key=len, reverse=True):
        for form in (secret, quote(secret, safe=""), quote_plus(secret, safe="/"), repr(secret)[1:-1]):
            text = text.replace(form, GAP)
    for pattern, gap in _PATTERNS:
        text = pattern.sub(gap, text)
    text = " ".join(text.split())
    return text if len(text) <= MAX_LENGTH else text[: MAX_LENGTH - 1] + "…"
