"""Which versions a folder's constraints allow, as in `~> 6.50, < 6.60`."""

import re


def allows(constraints: str, version: str) -> bool:
    """Whether a version keeps all constraints. None of them allows every version."""
    return all(_keeps(one, _numbers(version)) for one in constraints.split(",") if one.strip())


def _keeps(constraint: str, version: list[int]) -> bool:
    found = re.fullmatch(r"\s*(=|!=|>=|<=|>|<|~>)?\s*v?([\d.]+)\s*", constraint)
    if found is None:
        raise ValueError(f"{constraint.strip()!r} is no constraint of a version")
    bound = _numbers(found[2])
    if found[1] == "~>":  # at least that, and the same but for the last number given
        given = found[2].count(".")
        return version >= bound and version[:given] == bound[:given]
    return {
        "!=": version != bound,
        ">": version > bound,
        ">=": version >= bound,
        "<": version < bound,
        "<=": version <= bound,
    }.get(found[1], version == bound)


def _numbers(version: str) -> list[int]:
    numbers = [int(part) for part in version.split(".")]
    return numbers + [0] * (3 - len(numbers))
