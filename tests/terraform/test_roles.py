"""Who may do what: each identity has the roles that it needs, on the things that it needs them for, and no other."""

import re
from collections import defaultdict
from pathlib import Path

from infra.functions import load
from shared.services.context import QUEUES

KINDS = {
    "google_project_iam_member": "project",
    "google_cloud_tasks_queue_iam_member": "name",
    "google_secret_manager_secret_iam_member": "secret_id",
    "google_service_account_iam_member": "service_account_id",
    "google_storage_bucket_iam_member": "bucket",
    "google_cloud_run_v2_service_iam_member": "name",
    "google_pubsub_topic_iam_member": "topic",
    "google_pubsub_subscription_iam_member": "subscription",
    "google_artifact_registry_repository_iam_member": "repository",
}
"""Every way in which a role is given, and which attribute says on what."""


def given(deployed):
    """Roles by member: (role, on what)."""
    found = defaultdict(set)
    for one in deployed.of(*KINDS):
        found[one["member"].partition(":")[2].partition("@")[0]].add((one["role"], one[KINDS[one.type]]))
    return found


def test_every_way_to_give_a_role_is_looked_at(deployed):
    assert {one.type for one in deployed.all if "_iam_" in one.type} <= set(KINDS)


def test_functions_have_what_they_need(deployed):
    """What `infra/functions.json` says that it needs; `tests/flows/test_needs.py` holds that against what it does."""
    roles, accounts = given(deployed), {one["account_id"]: one["name"] for one in deployed.of("google_service_account")}
    queues = [f"sluice-{kind}-{number}" for kind in QUEUES for number in range(2)]
    for function in load().functions.values():
        name = f"sluice-{function.name.replace('_', '-')}"
        config = deployed.functions[function.name]["service_config"][0]
        grants = {
            "documents": {("roles/datastore.user", "my-project")},
            "queue": {("roles/iam.serviceAccountUser", accounts["sluice-queue"])}
            | {(f"roles/cloudtasks.{role}", queue) for role in ("enqueuer", "viewer") for queue in queues},
            "read_buckets": {("roles/storage.objectViewer", bucket) for bucket in ("photos", "labels")},
            "write_buckets": {("roles/storage.objectUser", "labels")},
            "sign_urls": {("roles/iam.serviceAccountTokenCreator", accounts[name])},
        }

        wanted = {grant for need in function.needs for grant in grants[need]}
        secrets = {
            ("roles/secretmanager.secretAccessor", one["secret"]) for one in config["secret_environment_variables"]
        }

        assert accounts[name].rpartition("/")[2] == config["service_account_email"]
        assert wanted | secrets == roles[name], function.name


def test_documents_of_others_are_out_of_reach(deployed):
    """The role on the project is limited to the one database."""
    granted = [one for one in deployed.of("google_project_iam_member") if one["role"] == "roles/datastore.user"]

    assert len(load().functions) == len(granted)
    for one in granted:
        assert 'resource.name == "projects/my-project/databases/sluice"' == one["condition"][0]["expression"]


def test_who_calls_may_do_nothing_else(deployed):
    roles = given(deployed)
    called = {
        trigger: {f"sluice-{one.name.replace('_', '-')}" for one in load().called_by(trigger)}
        for trigger in ("queue", "timer", "pubsub")
    }

    assert {("roles/run.invoker", name) for name in called["queue"]} == roles["sluice-queue"]
    assert {("roles/run.invoker", name) for name in called["timer"]} == roles["sluice-timer"]
    assert {("roles/run.invoker", name) for name in called["pubsub"]} == roles["sluice-push"]


def test_the_builder_reads_sources_and_writes_images(deployed):
    assert {
        ("roles/logging.logWriter", "my-project"),
        ("roles/storage.objectViewer", "my-project"),  # on the condition that it is the staging bucket
        ("roles/storage.objectViewer", "my-project-sluice-source"),
        ("roles/artifactregistry.writer", deployed.of("google_artifact_registry_repository")[0]["name"]),
    } == given(deployed)["sluice-build"]


def test_nobody_else_is_given_anything(deployed):
    """Beside accounts of our own only Google's agents: Pub/Sub's and Cloud Storage's."""
    accounts = {one["account_id"]: one["name"] for one in deployed.of("google_service_account")}
    others = [roles for name, roles in given(deployed).items() if name not in accounts and name]

    assert {
        ("roles/iam.serviceAccountTokenCreator", accounts["sluice-push"]),
        ("roles/pubsub.publisher", "sluice-bucket-events"),
        ("roles/pubsub.publisher", "sluice-dead-letters"),
        ("roles/pubsub.subscriber", "sluice-bucket-events"),
    } == set().union(*others)
    broad = {"roles/owner", "roles/editor", "roles/viewer"}
    assert not broad & {role for roles in given(deployed).values() for role, _ in roles}


def test_what_the_code_asks_for_in_words_is_given(deployed):
    """An error that names a role names one that is given."""
    text = Path("shared/adapters/queues/cloud_tasks.py").read_text(encoding="utf-8")
    named = set(re.findall(r"(?:cloudtasks|iam)\.[a-z][A-Za-z]+", text))

    assert {"cloudtasks.enqueuer", "cloudtasks.viewer", "iam.serviceAccountUser"} == named
    assert {f"roles/{name}" for name in named} <= {role for roles in given(deployed).values() for role, _ in roles}
