"""As whom a storage's bucket is opened, where its type authenticates in another way: settings into arguments of stores.

Addresses come from the process alone. What is missing never leads to the process's own identity instead.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from shared.adapters.objects.gcs_identity import GcsIdentity
from shared.errors import CredentialsError
from shared.model.identities import SERVICE_PRINCIPAL
from shared.settings import Settings

if TYPE_CHECKING:
    from shared.adapters.objects.google_identity import IdentityToken, WebIdentity

AZURE_AUDIENCE = "api://AzureADTokenExchange"
"""Of every token that Microsoft trades for one of its own."""
NO_WORKLOAD_IDENTITY = (
    "This server has no federated token for Azure: AZURE_FEDERATED_TOKEN_FILE (or SLUICE_AZURE_GOOGLE_IDENTITY), "
    "AZURE_TENANT_ID and AZURE_CLIENT_ID (or the storage's client_id) must be set, or auth_mode be service_principal"
)
TWO_TOKENS = (
    "This server has two federated tokens for Azure: unset AZURE_FEDERATED_TOKEN_FILE or SLUICE_AZURE_GOOGLE_IDENTITY"
)


class Proofs(NamedTuple):
    """What this process, a service account of Google's, proves itself to others with; None: it does not."""

    aws: "WebIdentity | None"
    azure: "IdentityToken | None"

    def close(self) -> None:
        """Closes the connections."""
        if self.aws:
            self.aws.token.close()
        if self.azure:
            self.azure.close()


def proofs(settings: Settings) -> Proofs:
    """Made once and used for all storages, since tokens are kept. Asks nobody. Raises `StoreError`."""
    host, arn, aws, azure = settings.google_metadata_host, settings.aws_web_identity_role_arn, None, None
    if not (arn or settings.azure_google_identity):
        return Proofs(None, None)
    # Imported here: what speaks HTTP is not loaded by a function that opens no bucket.
    from shared.adapters.objects.google_identity import IdentityToken, WebIdentity

    if arn:
        wanted_by = "SLUICE_AWS_WEB_IDENTITY_ROLE_ARN"
        aws = WebIdentity(arn, IdentityToken(host, settings.aws_web_identity_audience, wanted_by=wanted_by))
    if settings.azure_google_identity:
        azure = IdentityToken(host, AZURE_AUDIENCE, wanted_by="SLUICE_AZURE_GOOGLE_IDENTITY")
    return Proofs(aws, azure)


def amazon(
    config: Mapping[str, Any], secrets: Mapping[str, str], settings: Settings, proof: "WebIdentity | None"
) -> dict[str, Any]:
    """As whom `S3Objects` asks where it has no keys, and the role that it assumes, if the settings name one."""
    return {
        "role_arn": config.get("role_arn"),
        "external_id": secrets.get("external_id"),
        "sts_endpoint": settings.aws_sts_endpoint,
        "web_identity": proof,
    }


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


def application(
    config: Mapping[str, Any], secrets: Mapping[str, str], settings: Settings, proof: "IdentityToken | None"
) -> dict[str, Any]:
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
    file = settings.azure_federated_token_file
    if not ((file or proof) and settings.azure_tenant_id and client):
        raise CredentialsError(NO_WORKLOAD_IDENTITY)
    if file and proof:
        raise CredentialsError(TWO_TOKENS)
    return {
        **names,
        "tenant_id": settings.azure_tenant_id,
        "client_id": client,
        "token_file": file,
        "google_token": proof,
    }
