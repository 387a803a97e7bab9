"""After one scheduled sync the project is the function of bucket, policies and user actions, whatever was told when."""

from itertools import product

import pytest

from tests.simulation.expected import problems
from tests.simulation.histories import History

COMBINATIONS = list(product(("ignore", "update_unannotated"), ("keep", "mark", "delete_unannotated"), (True, False)))
SEEDS = 84
"""Of each of the twelve combinations: a thousand histories."""


def play(seed, on_changed, on_deleted, blob_mode):
    """One history; what is wrong at its end, with what had happened."""
    history = History(seed, on_changed, on_deleted, blob_mode)
    history.run()
    found = problems(history)
    if not found:
        history.tell_the_rest()
        found = problems(history)
    history.world.check_map()
    found += history.world.problems
    return [*found, *history.log] if found else []


@pytest.mark.parametrize(("on_changed", "on_deleted", "blob_mode"), COMBINATIONS)
def test_a_thousand_histories(on_changed, on_deleted, blob_mode):
    for seed in range(SEEDS):
        found = play(seed, on_changed, on_deleted, blob_mode)
        assert found == [], f"play({seed}, {on_changed!r}, {on_deleted!r}, {blob_mode})"
