"""Globs: what they take, what they are refused for, and that none takes more than linear time."""

import fnmatch
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import InvalidInputError
from shared.model.filters import MAX_GLOB, compile_glob
from shared.model.storage import Scope, Storage

KEYS = ["a.jpg", "b.JPG", "in/c.jpg", "in/deep/d.png", "in/deep/e.jpg", "x[1].txt", "new\nline.jpg", ".hidden.jpg"]


def taken(glob):
    match = compile_glob(glob)
    return [key for key in KEYS if match(key)]


@pytest.mark.parametrize(
    ("glob", "keys"),
    [
        ("*.jpg", ["a.jpg", "new\nline.jpg", ".hidden.jpg"]),
        ("**/*.jpg", ["a.jpg", "in/c.jpg", "in/deep/e.jpg", "new\nline.jpg", ".hidden.jpg"]),
        ("**", KEYS),
        ("**/*", KEYS),
        ("in/**", ["in/c.jpg", "in/deep/d.png", "in/deep/e.jpg"]),
        ("in/*", ["in/c.jpg"]),
        ("in/**/*.jpg", ["in/c.jpg", "in/deep/e.jpg"]),
        ("in/**/deep/*.jpg", ["in/deep/e.jpg"]),
        ("in**.jpg", []),
        ("?.{jpg,JPG}", ["a.jpg", "b.JPG"]),
        ("**/[a-c].*", ["a.jpg", "b.JPG", "in/c.jpg"]),
        ("**/[!a-d].*", ["in/deep/e.jpg"]),
        ("**/[^a-d].*", ["in/deep/e.jpg"]),
        ("{*.txt,in/{c.*,deep/[d]*}}", ["in/c.jpg", "in/deep/d.png", "x[1].txt"]),
        ("{in/**,x*}", ["in/c.jpg", "in/deep/d.png", "in/deep/e.jpg", "x[1].txt"]),
        ("x\\[1\\].txt", ["x[1].txt"]),
        ("x[[]1[]].txt", ["x[1].txt"]),
        ("a.{jpg,}", ["a.jpg"]),
        ("a?jpg", ["a.jpg"]),
        ("in?c.jpg", []),
        ("in[!x]c.jpg", []),
        ("a", []),
        ("a.jpg/", []),
        ("a+jpg", []),
    ],
)
def test_what_it_takes(glob, keys):
    assert taken(glob) == keys


@pytest.mark.parametrize(
    ("glob", "why"),
    [
        ("[a", "not closed"),
        ("[]", "not closed"),
        ("{a", "not closed"),
        ("a\\", "backslash"),
        ("[z-a]", "range"),
        ("*" * (MAX_GLOB + 1), "longer than 1000"),
        ("\ud800", "surrogates"),
    ],
)
def test_what_is_none(glob, why):
    with pytest.raises(InvalidInputError) as refused:
        compile_glob(glob)
    assert why in refused.value.fields["glob_filter"][0]


@given(st.text(st.sampled_from("abz.*?-"), max_size=8), st.lists(st.text(st.sampled_from("abz.-"), max_size=6)))
def test_without_folders_it_is_the_usual_glob(glob, names):
    match = compile_glob(glob)
    assert [bool(match(name)) for name in names] == [fnmatch.fnmatchcase(name, glob) for name in names]


def test_no_glob_backtracks():
    """What takes a backtracking matcher ages; it is the test's time-out that would tell."""
    match = compile_glob("*a" * 400 + "b")
    began = time.process_time()
    assert not match("a" * 20_000)
    print(f"{time.process_time() - began:.3f} s")


@pytest.mark.parametrize(
    ("config", "key", "wanted"),
    [
        ({"prefix": "img", "glob_filter": "*.jpg"}, "img/a.jpg", True),
        ({"prefix": "img", "glob_filter": "img/*.jpg"}, "img/a.jpg", False),
        ({"prefix": "img", "glob_filter": "**/*.jpg"}, "img/in/a.jpg", False),
        ({"prefix": "img", "glob_filter": "**/*.jpg", "recursive_scan": True}, "img/in/a.jpg", True),
        ({"prefix": "img_2024*", "glob_filter": "img_*_?.jpg"}, "img_2024_1.jpg", True),
        ({"prefix": "in/img_2024*", "glob_filter": "img_*_?.jpg"}, "in/img_2024_1.jpg", True),
        ({"glob_filter": "*.jpg", "regex_filter": "b"}, "a.jpg", False),
        ({"glob_filter": "*.jpg", "regex_filter": "a"}, "a.jpg", True),
        ({"glob_filter": "*.png", "regex_filter": "a"}, "a.jpg", False),
    ],
)
@pytest.mark.parametrize("direction", ["import", "dataset"])
def test_in_a_storage_it_looks_below_the_prefix_and_the_regex_must_match_too(config, key, wanted, direction):
    storage = Storage(
        id=1, type="s3", direction=direction, project=1, created_at=0.0, config=config, secrets=b"", meta={}
    )
    assert Scope.of(storage).wants(key) == wanted
