"""URIs in task data, for any text, any key and any document; and for texts that were made to take long."""

import html
import json
import re

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from shared.model.uris import SCHEMES, fileuri, from_fileuri, parse, resolve_json, resolve_text

BLANKS = " \t\n\r\f\v"
# All that some position takes for more than a character, as often as other text.
PIECES = [
    *"\"'<>()=&;,|\\/ \n\ta1.%é😀\u00a0",
    *("&quot;", "&amp;", "&#39;", "url(", "](", "![x](", "<img src=", '<img src="', "<a b='", "</", "-->", "srcset="),
    *("%2F", "..", "://", "https://x.org/", ' "t"', " 2x", " 640w", r"\"", r"\u0073", "s3:", "gs"),
]
TEXTS = st.lists(st.sampled_from(PIECES) | st.text(max_size=4), max_size=12).map("".join)
KEYS = TEXTS.filter(lambda key: key and key[-1] not in BLANKS)
"""Keys of which no position knows where they end, if they end in blanks."""
SCHEME = re.compile("(?:s3|gs|azure-blob)://")
LISTED = re.compile(rf"[{BLANKS},;|][A-Za-z][A-Za-z0-9+.-]*://")
FOREIGN = st.builds("{}://x/{}".format, st.sampled_from(sorted(SCHEMES)), KEYS)
OURS = st.builds("{}://b/{}".format, st.sampled_from(sorted(SCHEMES)), KEYS)


def of_b(uri):
    found = parse(uri)
    return f"https://sluice.test/tasks/1/resolve/?fileuri={fileuri(uri)}" if found and found.bucket == "b" else None


def of_z(uri):
    found = parse(uri)
    return "resolved" if found and found.bucket == "z" else None


def balanced(key):
    depth = 0
    for character in key:
        depth += (character == "(") - (character == ")")
        if depth < 0:
            return False
    return depth == 0


def single(key):
    """Whether it is one URI where lists may be."""
    return not LISTED.search(key)


def lacking(*marks):
    return lambda key: single(key) and not any(mark in key for mark in marks)


def titled(key):
    return re.search(rf"[{BLANKS}](\"[^\"]*\"|'[^']*')\Z", key)


POSITIONS = {
    "whole": (" {}\n", str, single),
    "listed": ("gs://x/y, {}|https://x.org", str, lambda key: single(key) and key[-1] not in ",;|"),
    "double": ('x "{}" y"', str, lambda key: single(key) and '"' not in key),
    "single": ("it's 'a', ' {} '", str, lacking("'")),
    "entity": ("&quot;{}&quot;", str, lacking("&quot;")),
    "attribute": ('<a b="x>y" c = "{}"/>', html.escape, single),
    "single attribute": ("<a b='{}'>", html.escape, single),
    "escaped attribute": (
        r"<a b=\"{}\">",
        lambda key: key.replace("&", "&amp;"),
        lambda key: single(key) and '"' not in key and key[-1] != "\\",
    ),
    "style": ('<a style="x: url( &#39;{}&#39; )">', html.escape, single),
    "unquoted": ("<p><a b={}></p>", html.escape, lambda key: not any(blank in key for blank in BLANKS)),
    "css": ("url({})", str, balanced),
    "link": ("[x]({}) (", str, lambda key: balanced(key) and not titled(key)),
    "titled": ("![x]({} 'a title')", str, lambda key: balanced(key)),
    "angles": ("](<{}>)", str, lambda key: ">" not in key),
    "json": ('{{"a": ["{}"]}}', str, lacking('"', "\\")),
    "json in json": (r"{{\"a\": \"{}\"}}", str, lacking('"', "\\")),
}


@pytest.mark.parametrize("position", POSITIONS)
@given(data=st.data())
@settings(max_examples=200, deadline=None)
def test_the_uri_that_was_put_in_is_the_one_that_is_asked_for(position, data):
    around, write, takes = POSITIONS[position]
    uri = data.draw(OURS.filter(lambda uri: takes(uri.partition("//b/")[2])))
    asked = []

    resolve_text(around.format(write(uri)), asked.append)

    assert uri == asked[-1]
    assert around.format(of_b(uri) or write(uri)) == resolve_text(around.format(write(uri)), of_b)


@given(TEXTS | st.text(st.characters()), st.lists(st.tuples(st.integers(0, 200), FOREIGN), max_size=4))
@settings(max_examples=1000, deadline=None)
def test_a_text_without_a_uri_that_matches_stays_as_it_is(text, inserted):
    for at, uri in inserted:
        text = text[:at] + uri + text[at:]

    assert text is resolve_text(text, of_z)


@given(TEXTS, st.lists(st.tuples(st.integers(0, 200), OURS), max_size=4), TEXTS)
@settings(max_examples=500, deadline=None)
def test_what_is_put_in_is_all_that_changes(text, inserted, own):
    """Whatever is asked for stands in the text, and with the answer taken out again the text is what it was."""
    for at, uri in inserted:
        text = text[:at] + uri + text[at:]
    asked = []

    def mark(uri):
        asked.append(uri)
        return f"\0{len(asked) - 1}\0"

    resolved = resolve_text(text, mark, own)

    rest = re.split(r"\0(\d+)\0", resolved) if "\0" not in text else []
    pattern = "".join(re.escape(part) if index % 2 == 0 else "(.+?)" for index, part in enumerate(rest))
    assert not rest or re.fullmatch(pattern, text, re.DOTALL)


DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS | FOREIGN | OURS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS | OURS, inner, max_size=3),
    max_leaves=12,
)
DUMPS = st.sampled_from(
    [
        json.dumps,
        lambda document: json.dumps(document, ensure_ascii=False),
        lambda document: json.dumps(document, indent=1, separators=(" ,", " : ")),
        lambda document: json.dumps(document).replace("/", "\\/"),
        lambda document: re.sub(r"(?<!\\)([gs:/])", lambda found: f"\\u{ord(found[1]):04x}", json.dumps(document)),
    ]
)


def everywhere(document, own):
    if isinstance(document, str):
        return resolve_text(document, of_b, own)
    if isinstance(document, list):
        return [everywhere(value, own) for value in document]
    if isinstance(document, dict):
        return {key: everywhere(value, own) for key, value in document.items()}
    return document


@given(DOCUMENTS, st.sampled_from([json.dumps, lambda document: json.dumps(document, indent=2)]), OURS)
@settings(max_examples=300, deadline=None)
def test_a_document_becomes_what_its_strings_become(document, dumps, own):
    text = dumps({"values": document, "own": own})

    resolved = resolve_json(text.encode(), of_b, own)

    assert everywhere(json.loads(text), own) == json.loads(resolved)


@given(DOCUMENTS, DUMPS)
@settings(max_examples=300, deadline=None)
def test_a_document_without_a_uri_that_matches_stays_as_it_is(document, dumps):
    data = dumps(document).encode()

    assert data is resolve_json(data, of_z)


@given(st.binary(), TEXTS, st.binary())
def test_what_is_no_document_stays_as_it_is(before, text, after):
    data = before + text.encode() + b'"s3://x/' + after

    assert data is resolve_json(data, of_z)


SIMPLE = st.text("abé😀=&%+- .", min_size=1, max_size=6).map(str.strip).filter(bool)
PLACES = [around for name, (around, _, _) in POSITIONS.items() if name not in {"whole", "listed"}]
PLACED = st.builds(
    lambda around, scheme, bucket, key: around.format(f"{scheme}://{bucket}/{key}"),
    st.sampled_from([*PLACES, "see {} there", "path={}"]),
    st.sampled_from(sorted(SCHEMES)),
    st.sampled_from("bx"),
    SIMPLE,
)


@given(st.lists(PLACED | SIMPLE | st.sampled_from(["'", '"', "\n", ">"]), max_size=8).map(" ".join))
@settings(max_examples=500, deadline=None)
@example("s3://b/a, s3://x/b\ns3://b/c")
@example(" s3://x/a, s3://b/b, https://x.org")
def test_resolving_again_changes_nothing(text):
    once = resolve_text(text, of_b)

    assert once == resolve_text(once, of_b)


@given(
    st.text(st.characters())
    | TEXTS
    | OURS
    | OURS.map(fileuri).map(lambda value: value.rstrip("="))
    | st.binary().map(repr)
)
@settings(max_examples=500, deadline=None)
@example("\ud800%2F" * 1000)
@example("\0" * 8192)
def test_any_value_of_a_query_is_read_without_an_error(value):
    found = from_fileuri(value)

    assert found is None or found == parse(found.text)


@given(OURS)
def test_what_was_put_into_a_query_comes_out_of_it(uri):
    assert parse(uri) == from_fileuri(fileuri(uri))


# Each of these was made for one way to look at the same characters over and over. None has a time to keep: what grows
# with the square of a megabyte doesn't end.

MEGABYTE = 10**6
HOSTILE = [
    '"s3://',
    "'s3://b/k \"s3://b",
    "url(s3://b/k ",
    "](s3://b/((",
    "url(",
    "<img src=s3://b/k ",
    '<a b="',
    "<a b='<a b=\"",
    "<a ",
    "<s3://b",
    "= ",
    ' s3://b/k," ',
    "s3://b/k, ",
    '"  ',
    "\\\\",
    r"\"s3://b/k",
    r"\"",
    "a.",
    ",a",
    " ",
    '"s3://b/&amp;',
    '"s3://b/k 1x, ',
    '<img src="s3://b/k 1x">',
]


@pytest.mark.parametrize("start", ["", "s3://b/", '<img x=" s3://b/'])
@pytest.mark.parametrize("repeated", HOSTILE)
def test_a_megabyte_of_anything_comes_to_an_end(repeated, start):
    text = start + repeated * (MEGABYTE // len(repeated))

    assert isinstance(resolve_text(text, of_z), str)
    assert orjson.dumps([text]) == resolve_json(orjson.dumps([text]), of_z)
    assert text.encode() == resolve_json(text.encode(), of_z)
    assert from_fileuri(text) is None


class Walked(str):
    """A text that counts how many of its characters are looked at to find others."""

    characters = 0

    def find(self, *asked):
        found = super().find(*asked)
        self.characters += (len(self) if found < 0 else found) - asked[1]
        return found


@pytest.mark.parametrize("repeated", [*HOSTILE, "<p title=&quot;s3://b ", "\"s3://b/k' <s3://b/k "])
def test_what_closes_a_place_is_looked_for_once(repeated):
    text = Walked(repeated * 1000 + "&quot;")

    resolve_text(text, of_z)

    assert text.characters <= 4 * len(text)
