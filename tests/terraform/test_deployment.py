"""Terraform, `infra/functions.json`, `main.py` and the settings say the same: nothing is missing, nothing too much."""

import base64
import json
import re
import time
from pathlib import Path

import pytest

import main
from functions import callers
from infra.functions import PUBLIC, PUBSUB, QUEUED, TIMER, load
from shared.adapters.queues.cloud_tasks import CloudTasksQueue
from shared.app import INDEXES
from shared.services.context import QUEUE_FUNCTIONS, QUEUES
from shared.settings import BARE_NAMES, OWN_PREFIX, Settings
from tests.terraform.conftest import PROJECT, REGION

PLATFORM = {"FUNCTION_USE_ASGI"}
"""What is not for Sluice: the functions framework's own."""
SECRETS = {"SLUICE_SECRET_KEY", "SLUICE_TOKEN"}
SOURCES = [*Path("shared").rglob("*.py"), *Path("functions").rglob("*.py")]


def settings(deployed, target):
    return Settings.from_env(deployed.env(target))


def test_every_target_is_a_function(deployed):
    """The list, what main.py exports, and what is deployed; and nothing else is a function."""
    listed = load().functions

    assert set(main.__all__) == set(listed) == set(deployed.functions)
    assert set(QUEUE_FUNCTIONS) == {function.name for function in load().called_by(QUEUED)}
    for name, function in listed.items():
        made = deployed.functions[name]["service_config"][0]
        assert (function.memory, function.cpu) == (made["available_memory"], made["available_cpu"])
        assert function.timeout_seconds == made["timeout_seconds"]
        assert (0, function.max_instances) == (made["min_instance_count"], made["max_instance_count"])
        assert function.concurrency == made["max_instance_request_concurrency"]


def test_every_variable_is_a_setting(deployed):
    """No function is told what it does not know."""
    known = {BARE_NAMES.get(name, f"{OWN_PREFIX}{name.upper()}") for name in Settings.__dataclass_fields__}

    for target in load().functions:
        assert deployed.env(target).keys() - PLATFORM - known == set()


def test_functions_know_where_they_are(deployed):
    """Each is told the address at which the platform calls it, and has what it can't work without."""
    for target, function in load().functions.items():
        told = settings(deployed, target)

        assert ("firestore", "cloudtasks") == (told.documents, told.queue)
        assert (PROJECT, REGION, 2) == (told.google_project, told.google_location, told.queue_pool)
        assert deployed.of("google_firestore_database")[0]["name"] == told.firestore_database
        assert told.secret_key
        assert told.token
        assert bool(told.notice_secrets) == (target == "bucket_webhook")
        assert told.slice_seconds < told.function_timeout <= min(f.timeout_seconds for f in load().called_by(QUEUED))
        if function.trigger != PUBLIC:
            url = getattr(told, f"{target}_url")
            name = deployed.functions[target]["name"]
            assert re.fullmatch(rf"https://{name}-[0-9]+\.{REGION}\.run\.app", url)
    assert told.hostname == deployed.outputs["url"]
    assert {"runs": 2, "events": 2, "exports": 2, "webhooks": 2} == dict.fromkeys(QUEUES, told.queue_pool)


def test_queues_are_those_that_are_used(deployed):
    """The names that the adapter makes up are the queues that there are, with endless attempts."""
    told = settings(deployed, "api")
    queue = CloudTasksQueue(
        project=told.google_project,
        location=told.google_location,
        queues=QUEUES,
        target_urls={},
        service_account=told.caller_service_account,
        prefix=told.queue_prefix,
        pool=told.queue_pool,
        deadline=told.function_timeout,
    )
    made = {one["name"]: one for one in deployed.of("google_cloud_tasks_queue")}

    assert {path.rpartition("/")[2] for kind in QUEUES for path in queue.paths(kind)} == set(made)
    assert set(load().queues) == set(QUEUES)
    for kind, wanted in load().queues.items():
        one = made[f"sluice-{kind}-1"]
        assert -1 == one["retry_config"][0]["max_attempts"]
        assert "0s" == one["retry_config"][0]["max_retry_duration"]
        assert wanted.concurrent_dispatches == one["rate_limits"][0]["max_concurrent_dispatches"]
        assert wanted.dispatches_per_second == one["rate_limits"][0]["max_dispatches_per_second"]


def token(email, audience):
    """A token as Cloud Run hands it on, which has checked it and taken the signature off."""
    now = int(time.time())
    said = {"aud": audience, "iss": callers.ISSUERS[0], "iat": now, "exp": now + 600}
    parts = [{"alg": "RS256", "typ": "JWT"}, said | {"email": email, "email_verified": True}]
    encoded = (base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts)
    return f"Bearer {'.'.join(encoded)}.{callers.SIGNATURE_REMOVED}"


def test_each_function_lets_in_its_caller_alone(deployed):
    """By the platform and by itself: the queue, the timer or Pub/Sub, with a token for just that address."""
    accounts = {one["account_id"]: one["email"] for one in deployed.of("google_service_account")}
    calling = {QUEUED: accounts["sluice-queue"], TIMER: accounts["sluice-timer"], PUBSUB: accounts["sluice-push"]}
    invokers = {
        target: {
            one["member"]
            for one in deployed.of("google_cloud_run_v2_service_iam_member")
            if one["name"] == function["name"] and one["role"] == "roles/run.invoker"
        }
        for target, function in deployed.functions.items()
    }

    for target, function in load().functions.items():
        told, ingress = settings(deployed, target), deployed.functions[target]["service_config"][0]["ingress_settings"]
        assert ("ALLOW_ALL" if function.trigger == PUBLIC else "ALLOW_INTERNAL_ONLY") == ingress
        if function.trigger == PUBLIC:
            # Whom everybody may call must not take an unsigned token for a checked one.
            assert ({"allUsers"}, False) == (invokers[target], told.platform_checks_callers)
            continue
        url, caller = getattr(told, f"{target}_url"), calling[function.trigger]
        assert {f"serviceAccount:{caller}"} == invokers[target]
        assert 0 == callers.check(told, target, token(caller, url))
        assert 401 == callers.check(told, target, token(caller, "https://elsewhere.example.org"))
        assert 403 == callers.check(told, target, token(accounts["sluice-api"], url))
        assert not told.trust_callers


def test_callers_call_with_what_is_let_in(deployed):
    """Timer and subscription send to the function's address tokens for that address; the queue as the code says."""
    for function in load().called_by(TIMER):
        (job,) = [one for one in deployed.of("google_cloud_scheduler_job") if one.key == function.name]
        told, http = settings(deployed, function.name), job["http_target"][0]
        assert function.schedule == job["schedule"]
        assert http["uri"] == http["oidc_token"][0]["audience"] == getattr(told, f"{function.name}_url")
        assert http["oidc_token"][0]["service_account_email"] in told.allowed_callers.split(",")
    (push,) = [one["push_config"][0] for one in deployed.of("google_pubsub_subscription") if one["push_config"]]
    told = settings(deployed, "bucket_event")
    assert push["push_endpoint"] == push["oidc_token"][0]["audience"] == told.bucket_event_url
    assert push["oidc_token"][0]["service_account_email"] == told.event_service_accounts


def test_indexes_are_the_file(deployed):
    """Composite indexes and what single fields are indexed for; Firestore allows 200 fields of their own."""
    file = json.loads(INDEXES.read_text())

    def order(fields):
        return tuple((field["field_path"], field["order"]) for field in fields)

    made = [
        (one["collection"], one["query_scope"], order(one["fields"])) for one in deployed.of("google_firestore_index")
    ]
    wanted = [
        (one["collectionGroup"], one["queryScope"], tuple((f["fieldPath"], f["order"]) for f in one["fields"]))
        for one in file["indexes"]
    ]
    fields = {
        (one["collection"], one["field"]): [(i["order"], i["query_scope"]) for i in one["index_config"][0]["indexes"]]
        for one in deployed.of("google_firestore_field")
    }

    assert sorted(wanted) == sorted(made)
    assert fields == {
        (one["collectionGroup"], one["fieldPath"]): [(i["order"], i["queryScope"]) for i in one["indexes"]]
        for one in file["fieldOverrides"]
    }
    assert len(fields) <= 200


def test_alerts_are_on_what_is_logged(deployed):
    """Each action that a metric counts or an alert waits for is one that the code logs, by one of our functions."""
    logged = {
        action for path in SOURCES for action in re.findall(r'action="([a-z_.]+)"', path.read_text(encoding="utf-8"))
    }
    metrics = {one["name"]: one["filter"] for one in deployed.of("google_logging_metric")}
    counted = {action for text in metrics.values() for action in re.findall(r'"([a-z_]+\.[a-z_]+)"', text)}
    waited = [
        condition["condition_matched_log"][0]["filter"]
        for alert in deployed.of("google_monitoring_alert_policy")
        for condition in alert["conditions"]
        if condition["condition_matched_log"]
    ]

    assert {"run.stale", "run.end", "export.failed", "webhook.give_up"} == counted
    assert counted <= logged
    assert 3 == len(waited)
    assert set(waited) < set(metrics.values())
    for text in metrics.values():
        assert {one["name"] for one in deployed.functions.values()} == set(re.findall(r'"(sluice-[a-z-]+)"', text))


def test_each_alert_waits_for_one_thing(deployed):
    kinds = ("condition_matched_log", "condition_threshold", "condition_absent")
    alerts = {one.key: one for one in deployed.of("google_monitoring_alert_policy")}

    found = {
        name: [kind for condition in alert["conditions"] for kind in kinds if condition[kind]]
        for name, alert in alerts.items()
    }

    assert found == {
        **{key: ["condition_matched_log"] for key in ("stale_syncs", "failed_syncs", "given_up")},
        **{key: ["condition_threshold"] for key in ("dead_letters", "errors", "latency")},
        "silence": ["condition_absent"],
    }
    for name, alert in alerts.items():
        assert alert["notification_channels"]
        assert bool(alert["alert_strategy"][0]["notification_rate_limit"]) == (found[name] == ["condition_matched_log"])
    assert alerts["errors"]["conditions"][0]["condition_threshold"][0]["denominator_filter"]
    assert alerts["errors"]["conditions"][0]["condition_threshold"][0]["denominator_aggregations"]


def test_the_dashboard_shows_metrics_that_there_are(deployed):
    (dashboard,) = deployed.of("google_monitoring_dashboard")
    shown = set(re.findall(r"logging\.googleapis\.com/user/([a-z_/]+)", dashboard["dashboard_json"]))

    assert shown
    assert shown <= {one["name"] for one in deployed.of("google_logging_metric")}


def test_secrets_are_kept_by_secret_manager_alone(deployed):
    """The state knows that there are secrets, and nothing of what they are; no setting is one."""
    versions = deployed.of("google_secret_manager_secret_version")

    assert 3 == len(versions)
    for version in versions:
        assert (None, None) == (version["secret_data"], version["secret_data_wo"])
    for target, function in deployed.functions.items():
        config = function["service_config"][0]
        secret = {one["key"] for one in config["secret_environment_variables"]}
        assert secret == SECRETS | ({"SLUICE_NOTICE_SECRETS"} if target == "bucket_webhook" else set())
        assert not config["environment_variables"].keys() & (SECRETS | {"SLUICE_NOTICE_SECRETS"})


@pytest.mark.parametrize("output", ["url", "token_command", "bucket_webhook_url", "bucket_event_topic"])
def test_outputs_say_where_things_are(deployed, output):
    assert deployed.outputs[output]
