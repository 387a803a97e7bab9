"""`infra/functions.json` is the one list of what is deployed: the code knows the same functions and queues."""

import json
from dataclasses import fields
from typing import Any

import pytest

import main
from infra.functions import API, LIST, PUBLIC, PUBSUB, QUEUED, TIMER, load
from infra.local import notified
from shared.services.context import QUEUE_FUNCTIONS, QUEUES
from shared.settings import Settings


@pytest.fixture
def written() -> dict[str, Any]:
    return json.loads(LIST.read_text())


def test_the_list_names_what_main_exports():
    assert set(load().functions) == set(main.__all__)


def test_the_queues_are_those_of_the_code():
    deployed = load()

    assert list(deployed.queues) == list(QUEUES)
    assert {function.name for function in deployed.called_by(QUEUED)} == set(QUEUE_FUNCTIONS)


def test_a_setting_says_where_each_function_is_whose_callers_prove_themselves():
    """Their tokens are for its URL."""
    settings = {field.name for field in fields(Settings)}

    for function in load().called_by(QUEUED, PUBSUB, TIMER):
        assert f"{function.name}_url" in settings


def test_the_local_stack_serves_what_buckets_notify():
    """All that is called from outside; the API is at the root, and its own timer calls the sweep."""
    deployed = load()

    assert set(notified()) == {"/bucket_event", "/bucket_webhook"}
    assert [function.name for function in deployed.called_by(TIMER)] == ["sweep"]
    assert API in [function.name for function in deployed.called_by(PUBLIC)]


def test_an_invocation_ends_before_its_function_times_out():
    settings = Settings()

    for function in load().called_by(QUEUED):
        assert settings.slice_seconds < function.timeout_seconds <= settings.function_timeout


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda at: at["functions"]["api"].update(trigger="anybody"), r"function api: trigger 'anybody' is none of"),
        (lambda at: at["functions"]["api"].update(needs=["gold"]), r"function api: needs \['gold'\] are none of"),
        (lambda at: at["functions"]["sweep"].pop("schedule"), r"function sweep: a schedule"),
        (lambda at: at["functions"]["api"].update(schedule="* * * * *"), r"function api: a schedule"),
        (lambda at: at["functions"]["api"].update(memroy="1Gi"), r"api: Function has no field \['memroy'\]"),
        (lambda at: at["functions"]["api"].pop("memory"), r"api: .*missing.*memory"),
        (lambda at: at["queues"]["runs"].update(functions=["sweep"]), r"queue runs: \['sweep'\] are no functions"),
        (lambda at: at["queues"].pop("webhooks"), r"no queue calls \['deliver_webhook'\]"),
    ],
)
def test_an_entry_that_can_not_be_meant_is_named(written, tmp_path, change, told):
    change(written)
    path = tmp_path / "functions.json"
    path.write_text(json.dumps(written))

    with pytest.raises(ValueError, match=told):
        load(path)
