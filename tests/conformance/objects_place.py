"""What the object stores' suite works with: keys that are hard, and a place for a store and its objects."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from shared.ports import ObjectInfo, ObjectStore

WEIRD_KEYS = [
    "a//b",
    "//",
    "/lead",
    "end/",
    "a/./b",
    "a/../b",
    "./dot",
    "..",
    "trail/..",
    "control\x01",
    "new\nline",
    "tab\there",
    "delete\x7f",
    "next\x85line",
    "s p a c e",
    " lead and trail ",
    "plus+plus",
    "percent%41%2F%",
    "hash#tag",
    "ask?a=b",
    "star*",
    "and&amp;",
    "it's",
    'say "hi"',
    "less<more>",
    "back\\slash",
    "comma,semi;colon:equal=at@dollar$",
    "[brackets]{braces}|pipe^caret`tick",
    "nfc-\u00e9",
    "nfd-e\u0301",
    "emoji-\U0001f600",
    "flag-\U0001f1e9\U0001f1ea",
    "halfwidth-\uff5e",
    "noncharacter-\ufffe",
    "replacement-\ufffd",
    "bom-\ufeff",
    "rtl-\u202eabc",
    "~tilde",
    ".hidden",
    "...",
    "k" * 250,
    "k" * 1000,
    "deep/" * 199 + "12345",
]
TREE = [
    "a-b",
    "a.b",
    "a/0",
    "a/b",
    "a/c/d",
    "a/c/e/f",
    "a/c0",
    "a0",
    "ab/c",
    "b",
    "caf\u00e9/x",
    "cafe\u0301/x",
    "sp ace/+ %41",
    "z/\uff5e",
    "z/\U0001f600",
    "z/\U0001f600z/x",
    "zz",
]
PROBES = [
    "",
    "a",
    "a-",
    "a/",
    "a/b",
    "a/c",
    "a/c/",
    "a/c/d",
    "a0",
    "ab",
    "b",
    "caf\u00e9/",
    "m",
    "sp ",
    "z/",
    "\U0001f600",
]

ODD = [
    "a",
    "/lead",
    "end/",
    "x//y",
    "..",
    "./",
    " ",
    "%41%",
    "+",
    "#",
    "?q=",
    "\x01",
    "\t",
    "\x7f",
    "\u00e9",
    "e\u0301",
]
ODD += ["\uff5e", "\U0001f600", "*", "&amp;", "back\\", "-", ".", "~"]


def odd_keys(count: int) -> list[str]:
    """So many different keys, each with something strange in front of its number and behind it, in no order."""
    return [f"{ODD[i % len(ODD)]}{i * 7919 % count:05d}{ODD[i // len(ODD) % len(ODD)]}" for i in range(count)]


@dataclass(kw_only=True)
class Place:
    """A store, and a way to change what is in it that is not the store's own (where there is one).

    `supports` tells which keys can exist there; `missing` is a store whose bucket is not there, None if that can't be.
    Without `versioned`, nothing tells the contents apart that an object has had. `through` makes a store that asks
    another port of this machine than the server's own `port`; `verbs` are what requests that write and delete say.
    Without `deletes_conditionally` the server ignores the condition of a delete. Of signed URLs it `verifies` signature
    and life; `types` are what it may call an object whose type was asked for.
    """

    store: ObjectStore
    put: Callable[[str, bytes], object]
    remove: Callable[[str], object]
    put_many: Callable[[Mapping[str, bytes]], object] | None = None
    supports: Callable[[str], bool] = lambda key: True
    missing: ObjectStore | None = None
    versioned: bool = True
    deletes_conditionally: bool = True
    verifies: bool = False
    types: tuple[str, ...] = ("video/mp4",)
    through: Callable[[int], ObjectStore] | None = None
    port: int = 0
    verbs: tuple[str, str] = ("PUT ", "DELETE ")
    many: int = 5000
    """How many objects can be put there in reasonable time."""

    def fill(self, keys: Sequence[str]) -> None:
        """Puts objects whose content is their key."""
        if self.put_many:
            self.put_many({key: key.encode() for key in keys})
            return
        for key in keys:
            self.put(key, key.encode())


def listed(store: ObjectStore, prefix: str = "", after: str = "", *, recursive: bool = True) -> list[ObjectInfo]:
    return [info for page in store.pages(prefix, after, recursive=recursive) for info in page]


def keys_of(store: ObjectStore, prefix: str = "", after: str = "", *, recursive: bool = True) -> list[str]:
    return [info.key for info in listed(store, prefix, after, recursive=recursive)]
