"""What a Redis server does in one step: it digests a value, compares, and changes it."""

import hashlib

_NOW = """
local kind = redis.call('TYPE', KEYS[1]).ok
local value = kind == 'string' and redis.call('GET', KEYS[1]) or ''
local now = kind == 'string' and 'sha1:' .. redis.sha1hex(value) or kind == 'none' and '' or '-'
"""

LOOK = f"{_NOW} return now == '' and {{}} or {{#value, now}}"
"""Size and version, nothing where no value is; what is no string has size 0 and the version "-"."""

WRITE = f"{_NOW} if now ~= ARGV[1] then return 0 end redis.call('SET', KEYS[1], ARGV[2]) return 1"
"""Sets the second argument if the version is the first. 0: it is not."""

DELETE = f"{_NOW} if now ~= '' and now ~= ARGV[1] then return 0 end redis.call('DEL', KEYS[1]) return 1"
"""Removes the value if there is none, or its version is the argument. 0: it is another."""


def version_of(value: bytes) -> str:
    """The version as the scripts tell it."""
    return f"sha1:{hashlib.sha1(value, usedforsecurity=False).hexdigest()}"
