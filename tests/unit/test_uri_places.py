"""Where URIs count in task data, case by case."""

import pytest

from shared.model.uris import fileuri, parse, resolve_json, resolve_text


def asked(text, own=""):
    """The URIs that `resolve` is asked for."""
    found = []
    resolve_text(text, found.append, own)
    return found


def resolved(text, own=""):
    """The text with each URI of the bucket "b" replaced by its key in brackets."""

    def resolve(uri):
        found = parse(uri)
        return f"[{found.key}]" if found and found.bucket == "b" else None

    return resolve_text(text, resolve, own)


# Where in a text.

WHOLE = [
    ("s3://b/k", "[k]"),
    ("gs://b/k", "[k]"),
    ("azure-blob://b/k", "[k]"),
    (" \n s3://b/a b.jpg\t\n", " \n [a b.jpg]\t\n"),
    ('s3://b/a=b it\'s "c" (d).jpg', '[a=b it\'s "c" (d).jpg]'),
    ("s3://b/a&amp;b", "[a&amp;b]"),
    ("s3://b/<img src='s3://b/k'>", "[<img src='s3://b/k'>]"),
    ("s3://b/crawl/https://x.org/", "[crawl/https://x.org/]"),
    ("s3://b/a 2x", "[a 2x]"),
]
LISTS = [
    ("s3://b/a.jpg, s3://b/c d.jpg", "[a.jpg], [c d.jpg]"),
    ("s3://b/a,gs://b/b;s3://b/c|s3://b/d", "[a],[b];[c]|[d]"),
    ("s3://b/a\ns3://b/b\r\n\ns3://b/c\n", "[a]\n[b]\r\n\n[c]\n"),
    ("s3://b/a ;  s3://b/b", "[a] ;  [b]"),
    ("s3://b/a,, s3://b/b", "[a,], [b]"),
    ("s3://b/a s3://b/b", "[a] [b]"),
    ("s3://b/a&quot;s3://b/b", "[a&quot;s3://b/b]"),
    ("s3://b/a-s3://b/b", "[a-s3://b/b]"),
    ("s3://x/a, s3://b/b", "s3://x/a, [b]"),  # the incumbent lets the first decide for all
    ("s3://b/a, s3://x/b, s3://b/c", "[a], s3://x/b, [c]"),
    ("s3://b/a, https://x.org/b, s3://b/c", "[a], https://x.org/b, [c]"),
    ("s3://b/a, s3://", "[a], s3://"),
]
QUOTED = [
    ("see 's3://b/a b.jpg' there", "see '[a b.jpg]' there"),
    ('<img src="s3://b/a=b.jpg">', '<img src="[a=b.jpg]">'),  # the incumbent finds none that has a "="
    ('<img src="s3://b/it\'s.jpg">', '<img src="[it\'s.jpg]">'),
    ("<img src='s3://b/a\"b.jpg'>", "<img src='[a\"b.jpg]'>"),
    ('<img src=" s3://b/k ">', '<img src=" [k] ">'),
    ('<img src="s3://b/a>b(c.jpg">', '<img src="[a>b(c.jpg]">'),
    (
        '<img src="s3://b/a"><img src="s3://b/b"><a href="gs://x/c">',
        '<img src="[a]"><img src="[b]"><a href="gs://x/c">',
    ),
    ("&quot;s3://b/it's&quot;", "&quot;[it's]&quot;"),
    ("&#34;s3://b/a&quot;b&#34;", "&#34;[a&quot;b]&#34;"),
    ("&#39;s3://b/k&#39; &apos;s3://b/k&apos; &#x27;s3://b/k&#x27;", "&#39;[k]&#39; &apos;[k]&apos; &#x27;[k]&#x27;"),
    ("['s3://b/a', \"s3://b/b\"]", "['[a]', \"[b]\"]"),
    ('1,"s3://b/a, b",x', '1,"[a, b]",x'),
    ('{"url": "s3://b/a b", "n": 1}', '{"url": "[a b]", "n": 1}'),
    (r"{\"url\": \"s3://b/k\"}", r"{\"url\": \"[k]\"}"),
    (r"\\\"s3://b/k\\\"", r"\\\"[k]\\\""),
    (r'"s3://b/k\"', r'"[k\]"'),
    (r'\"s3://b/k"', r'\"[k]"'),
    ('"s3://b/k', '"s3://b/k'),
    (r"\"s3://b/k" "\\", r"\"s3://b/k" "\\"),
    ('\'s3://b/a "s3://b/b"', '\'s3://b/a "[b]"'),
    ('"s3://b/a"s3://b/b"', '"[a]"s3://b/b"'),
    ('"x s3://b/k"', '"x s3://b/k"'),
    ("\"s3://x/a 's3://b/k'\"", "\"s3://x/a 's3://b/k'\""),
]
ENTITIES = [
    ('<img src="s3://b/a&amp;b&lt;c&gt;d&quot;e">', '<img src="[a&b<c>d"e]">'),
    ("<img alt='x' src = 's3://b/&apos;&#39;&#x27;&#34;'>", "<img alt='x' src = '['''\"]'>"),
    ('<img src="s3://b/&amp;amp;">', '<img src="[&amp;]">'),
    ('<img src="s3://b/a&ampb&nbsp;">', '<img src="[a&ampb&nbsp;]">'),
    ('<img alt="a > b" src="s3://b/a&amp;b">', '<img alt="a > b" src="[a&b]">'),
    ('<p>"s3://b/a&amp;b"</p>', '<p>"[a&amp;b]"</p>'),
    ('src="s3://b/a&amp;b"', 'src="[a&amp;b]"'),
    ('<img src="s3://b/a&amp;b"', '<img src="[a&amp;b]"'),  # no tag: it has no end
    ('<img src="s3://x/a&amp;b">', '<img src="s3://x/a&amp;b">'),
    ('<img src="s3://b/a&quot;s3://b/b">', '<img src="[a"s3://b/b]">'),
    ("<img src=s3://b/a&amp;b>", "<img src=[a&b]>"),
    ('<p style="background: url(s3://b/a&amp;b)">', '<p style="background: url([a&b])">'),
    ('<p style="background: url(&quot;s3://b/a&amp;b&quot;)">', '<p style="background: url(&quot;[a&b]&quot;)">'),
    ('<p title="&quot;s3://b/k">&quot;', '<p title="&quot;s3://b/k">&quot;'),
    (r"<img src=\"s3://b/a &amp;b\">", r"<img src=\"[a &b]\">"),
    ('<https://x.org/?a=">"s3://b/a&amp;b"', '<https://x.org/?a=">"[a&amp;b]"'),
]
SRCSETS = [
    ('<img srcset="s3://b/a.jpg 1x, s3://b/b c.jpg 2.5x">', '<img srcset="[a.jpg] 1x, [b c.jpg] 2.5x">'),
    ("<img srcset='s3://b/a 640w,\n s3://x/b 1x, s3://b/c'>", "<img srcset='[a] 640w,\n s3://x/b 1x, [c]'>"),
    ('<img srcset = "s3://b/a 2x">', '<img srcset = "[a] 2x">'),
    (r"<img srcset=\"s3://b/a 2x\">", r"<img srcset=\"[a] 2x\">"),
    ('<img src="s3://b/a 2x">', '<img src="[a 2x]">'),
    ('<img srcset="s3://b/a 2x.jpg">', '<img srcset="[a 2x.jpg]">'),
]
PARENTHESES = [
    ("a { background: url( s3://b/a (1) b.jpg ) }", "a { background: url( [a (1) b.jpg] ) }"),
    ("URL(s3://b/k)", "URL([k])"),
    ("url('s3://b/a)b')", "url('[a)b]')"),
    ("![alt](s3://b/a b=(c(d)).jpg) and (x)", "![alt]([a b=(c(d)).jpg]) and (x)"),
    ("(![x](s3://b/k))", "(![x]([k]))"),
    ('![x](s3://b/k "a title")', '![x]([k] "a title")'),
    ("![x](s3://b/it's (1).jpg 'a title' )", "![x]([it's (1).jpg] 'a title' )"),
    ('![x](s3://b/a"b")', '![x]([a"b"])'),
    ('url(s3://b/a "b")', 'url([a "b"])'),
    ("[![x](s3://b/a)](s3://b/b)", "[![x]([a])]([b])"),
    ("[x](s3://b/a(b) then ![y](s3://b/k)", "[x](s3://b/a(b) then ![y]([k])"),
    ('<a style="url(s3://b/a">)', '<a style="url(s3://b/a">)'),
    ("as (s3://b/k) says", "as (s3://b/k) says"),
    ("curl(s3://b/k)", "curl(s3://b/k)"),
]
ANGLES = [
    ("see <s3://b/a b=\"c'.jpg> and <s3://x/k>", "see <[a b=\"c'.jpg]> and <s3://x/k>"),
    ("![x](<s3://b/a (1.jpg> 'title')", "![x](<[a (1.jpg]> 'title')"),
    ("<s3://b/k", "<s3://b/k"),
    ("< s3://b/k>", "< s3://b/k>"),
]
UNQUOTED = [
    ("<img src=s3://b/a=b.jpg>", "<img src=[a=b.jpg]>"),  # the incumbent finds no unquoted ones
    ("<img alt='a>b' src= s3://b/k/ x>", "<img alt='a>b' src= [k/] x>"),
    ("</x y=s3://b/k>", "</x y=[k]>"),
    ('<img src=s3://b/a"b>', '<img src=[a]"b>'),
    ("<a b==s3://b/k>", "<a b==s3://b/k>"),
    ("<a =s3://b/k>", "<a =s3://b/k>"),
    ("if x <y then <img src=s3://b/k>", "if x <y then <img src=[k]>"),
    ("<s3://x/a b='> <img src=s3://b/k>", "<s3://x/a b='> <img src=[k]>"),
    ("<img src=s3://b/k", "<img src=s3://b/k"),
    ("<1 src=s3://b/k>", "<1 src=s3://b/k>"),
    ("<p>path=s3://b/k</p>", "<p>path=s3://b/k</p>"),
]
PROSE = [
    "see s3://b/k for more",
    "path=s3://b/k",
    "x, s3://b/k",
    "https://x.org, s3://b/k",
    '"https3://b/k"',
    "'x-s3://b/k'",
    "as3://b/k",
    "+s3://b/k",
    "s3: //b/k 's3:/b/k'",
    "'S3://b/k'",
]


@pytest.mark.parametrize(
    ("text", "expected"),
    [*WHOLE, *LISTS, *QUOTED, *ENTITIES, *SRCSETS, *PARENTHESES, *ANGLES, *UNQUOTED, *((text, text) for text in PROSE)],
)
def test_a_uri_counts_where_something_may_load_it(text, expected):
    assert expected == resolved(text)


@pytest.mark.parametrize("own", ["s3://b/a, s3://b/b", "s3://b/k \n", "s3://b/a\ns3://b/b\n", "s3://b/a <gs://b/b>"])
def test_the_task_s_own_uri_is_one_whatever_is_in_it(own):
    assert [own] == asked(own, own=own)
    assert [own] != asked(f"{own}, s3://b/x", own=own)


POSITIONS = [
    "{}",
    "s3://x/y, {}",
    'a "{}" b',
    "&quot;{}&quot;",
    '<img src="{}">',
    r"<img src=\"{}\">",
    "url({})",
    "![x]({})",
    "<{}>",
    '{{"a": ["{}"]}}',
]


@pytest.mark.parametrize("position", POSITIONS)
@pytest.mark.parametrize(
    "key", ["k", "a=b", "a b", "it's", "a%20b%2Fc%", "é/日本", "😀", "a(1)", "a?b#c//d", "a&b;c", "a,b|c"]
)
def test_every_key_in_every_position(position, key):
    assert f"s3://b/{key}" == asked(position.format(f"s3://b/{key}"))[-1]
    assert position.format(f"[{key}]") == resolved(position.format(f"s3://b/{key}"))


# In JSON.


def resolved_json(data, own=""):
    return resolve_json(
        data.encode(), lambda uri: "/" + fileuri(uri) if uri.startswith("s3://b/") else None, own
    ).decode()


K = "/" + fileuri("s3://b/k")


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ('"s3://b/k"', f'"{K}"'),
        ('{"a": ["s3://b/k", {"b": ["s3://x/k", "s3://b/k"]}]}', f'{{"a": ["{K}", {{"b": ["s3://x/k", "{K}"]}}]}}'),
        ('{"s3://b/k":"s3://b/k", "s3://b/k" \n : 1}', f'{{"s3://b/k":"{K}", "s3://b/k" \n : 1}}'),
        (r'{"a":"s3:\/\/b\/k"}', f'{{"a":"{K}"}}'),
        (r'["\u0073\u0033\u003a\u002F\/b/k"]', f'["{K}"]'),
        (r'["s\u0033://b/k", "\u00e9"]', rf'["{K}", "\u00e9"]'),
        (r'["\\u0073", "\"s3://b/k", "<img src=\"s3://b/k\">"]', rf'["\\u0073", "\"s3://b/k", "<img src=\"{K}\">"]'),
        (r'["{\"u\": \"s3://b/k\"}"]', rf'["{{\"u\": \"{K}\"}}"]'),
        (r'["{\"u\": \"{\\\"u\\\": \\\"s3://b/k\\\"}\"}"]', rf'["{{\"u\": \"{{\\\"u\\\": \\\"{K}\\\"}}\"}}"]'),
        ('[1e400, 1.0E+2, 123456789012345678901234567890,  null ,"s3://b/k"\t]', None),
        ('{"a":1,"a":"s3://b/k","a":-0.0}', None),
        (r'["\/ é \u00e9 😀", "s3://b/k"]', None),
        ("[" * 5000 + '"s3://b/k"' + "]" * 5000, None),
        (r'["\ud800 s3://b/k", "s3://b/k"]', rf'["\ud800 s3://b/k", "{K}"]'),
        ('["x\ty \'s3://b/k\'", "s3://b/k"]', f'["x\ty \'s3://b/k\'", "{K}"]'),
        ('["s3://b/k", "s3://b/k', f'["{K}", "s3://b/k'),
    ],
)
def test_only_values_of_a_document_change(data, expected):
    assert (expected or data.replace("s3://b/k", K)) == resolved_json(data)


@pytest.mark.parametrize(
    "data", [b'{"a": "text", "u": "https://x.org"}', b"", b"null", b'["\\u00e9"]', b'["s3://x/k"]', b'{"s3://b/k": 1}']
)
def test_a_document_without_them_is_not_copied(data):
    assert data is resolve_json(data, lambda uri: "/" if uri.startswith("s3://b/") else None)


def test_the_task_s_own_uri_is_known_in_json():
    own = "s3://b/a, s3://b/b\n"

    assert f'{{"image": "/{fileuri(own)}"}}' == resolved_json(r'{"image": "s3://b/a, s3://b/b\n"}', own)
