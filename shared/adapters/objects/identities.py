"""As whom a storage's bucket is opened, where its type authenticates in another way: settings into arguments of stores.

Addresses come from the process alone. What is missing never leads to the process's own identity instead.
"""

from collections.abc import Mapping
from typing import Any

from shared.adapters.objects.gcs_identity import GcsIdentity
from shared.errors import CredentialsError
from shared.model.identities import SERVICE_PRINCIPAL
from shared.settings import Settings

NO_WORKLOAD_IDENTITY = (
    "This server has no federated token for Azure: AZURE_FEDERATED_TOKEN_FILE, AZURE_TENANT_ID and AZURE_CLIENT_ID "
    "(or the storage's client_id) must be set, or auth_mode be service_principal"
)


def role(config: Mapping[str, Any], secrets: Mapping[str, str], settings: Settings) -> dict[str, str | None]:
    """The role that `S3Objects` assumes, if the settings name one."""
    arn = config.get("role_arn")
    return {"role_arn": arn, "external_id": secrets.get("external_id"), "sts_endpoint": settings.aws_sts_endpoint}


def google(config: Mapping[str, Any], settings: Settings) -> GcsIdentity | None:
    """The identity for `GcsObjects`, None for a key or the process's own."""
    pool, provider = config.get("google_wif_pool_id"), config.get("google_wif_provider_id")
    account = config.get("target_service_account_email") or config.get("google_service_account_email")
    if not (pool or account):
        return None
    place = f"projects/{config.get('google_project_number')}/locations/global"
    return GcsIdentity(
        account=account or "",
        provider=f"{place}/workloadIdentityPools/{pool}/providers/{provider}" if pool else "",
        source=settings.google_credential_source,
        sts_url=settings.google_sts_url,
        iam_url=settings.google_iam_credentials_url.rstrip("/"),
    )


def application(config: Mapping[str, Any], secrets: Mapping[str, str], settings: Settings) -> dict[str, str | None]:
    """The application for `AzureObjects`, and the account whose blobs these are. Raises `CredentialsError`."""
    account = config.get("account_name") or ""
    names = {
        "account_name": account,
        "endpoint": settings.azure_blob_url.replace("{account}", account),
        "login_url": settings.azure_login_url,
    }
    if config["auth_mode"] == SERVICE_PRINCIPAL:
        given = {name: config.get(name) for name in ("tenant_id", "client_id")}
        return {**names, **given, "client_secret": secrets.get("client_secret")}
    client = config.get("client_id") or settings.azure_client_id
    if not (settings.azure_federated_token_file and settings.azure_tenant_id and client):
        raise CredentialsError(NO_WORKLOAD_IDENTITY)
    return {
        **names,
        "tenant_id": settings.azure_tenant_id,
        "client_id": client,
        "token_file": settings.azure_federated_token_file,
    }
