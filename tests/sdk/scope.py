"""What of the SDK works with Sluice, and what is answered 404 on purpose. `test_scope.py` holds it against the SDK.

A resource's own methods are meant, not those of the resources below it.
"""

from collections.abc import Mapping

STORAGES = ("azure", "gcs", "local", "redis", "s3")
IDENTITIES = ("azure_spi", "gcs_sa", "gcswif", "s3s")
"""The same as some of these, with another way to say who asks."""
COVERED = frozenset(
    {
        *("annotations", "predictions", "projects", "tasks", "tokens", "users", "versions", "webhooks"),
        *("import_storage", "export_storage"),
        *(
            f"{direction}.{kind}"
            for direction in ("import_storage", "export_storage")
            for kind in (*STORAGES, *IDENTITIES)
        ),
    }
)
"""Each has a test that calls all of its methods: those of `import_storage.gcs`, say."""

REFUSED: Mapping[str, str] = {
    "tasks.create_event": "What people do on a page is nothing that storages are about.",
    "users.get_hotkeys": "Settings of a page that Sluice does not have.",
    "users.update_hotkeys": "Settings of a page that Sluice does not have.",
}
"""Methods of resources that are covered."""

_ENTERPRISE = "Label Studio Enterprise alone has it."
_PAGES = "Pages to label on, and what belongs to them, are not Sluice's."
_MODELS = "Sluice runs no models: they add predictions through the API."
_ACCESS = "Sluice has users with projects, no organizations, workspaces or members of projects."
REFUSED_RESOURCES: Mapping[str, str] = {
    "actions": _PAGES,
    "activity_logs": _ENTERPRISE,
    "analytics.kpis": _ENTERPRISE,
    "annotation_history": _ENTERPRISE,
    "annotation_reviews": _ENTERPRISE,
    "billing": _ENTERPRISE,
    "comments": _ENTERPRISE,
    "dimensions": _ENTERPRISE,
    "files": "Files are not uploaded: they are in a bucket, or in the body of an import.",
    "interfaces": _ENTERPRISE,
    "jwt_settings": "How long tokens live is a setting of the deployment.",
    "ml": _MODELS,
    "model_providers": _MODELS,
    "organizations": _ACCESS,
    "organizations.invites": _ACCESS,
    "organizations.member_tags": _ACCESS,
    "organizations.member_tags.bulk": _ACCESS,
    "organizations.members": _ACCESS,
    "organizations.permissions": _ACCESS,
    "project_templates": _ENTERPRISE,
    "projects.assignments": _ENTERPRISE,
    "projects.exports": "Annotations are exported to a bucket, by an export storage.",
    "projects.members": _ACCESS,
    "projects.members.bulk": _ACCESS,
    "projects.members.paginated": _ACCESS,
    "projects.metrics": _ENTERPRISE,
    "projects.metrics.custom": _ENTERPRISE,
    "projects.pauses": _ENTERPRISE,
    "projects.review_routing_rules": _ENTERPRISE,
    "projects.roles": _ACCESS,
    "projects.stats": _ENTERPRISE,
    "prompts": _MODELS,
    "prompts.indicators": _MODELS,
    "prompts.runs": _MODELS,
    "prompts.versions": _MODELS,
    "session_policy": _ENTERPRISE,
    "sso.saml": _ENTERPRISE,
    "sso.scim": _ENTERPRISE,
    "states": _ENTERPRISE,
    "tasks.agreement_matrix": _ENTERPRISE,
    "views": _PAGES,
    "workspaces": _ACCESS,
    "workspaces.members": _ACCESS,
    "workspaces.members.bulk": _ACCESS,
    "workspaces.members.paginated": _ACCESS,
    "workspaces.projects": _ACCESS,
    "import_storage.databricks": "There is no adapter for its volumes.",
    "export_storage.databricks": "There is no adapter for its volumes.",
}
