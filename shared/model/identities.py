"""Storage types that are another way to authenticate: each is made of the type whose buckets they are.

Where an identity is asked for is a setting of the process, never of a storage: otherwise a user could have the server
prove who it is to anybody.
"""

from dataclasses import replace

from shared.model.fields import Field
from shared.model.provider import Provider

SERVICE_PRINCIPAL = "service_principal"
WORKLOAD_IDENTITY = "workload_identity"
BY_SECRET = ("auth_mode", SERVICE_PRINCIPAL)


def by_role(s3: Provider) -> Provider:
    """`s3s`: a role in the bucket's AWS account, assumed with the keys given, else as who this process is."""
    return replace(
        s3,
        type="s3s",
        title="AWS S3 with IAM Role",
        listed=False,
        hosts=(*s3.hosts, "role_arn"),
        fields=(
            *s3.fields,
            Field(
                name="role_arn",
                needed=True,
                trim=True,
                check="role",
                help="Role to assume; its trust policy must name this server's identity, or that of the keys given.",
            ),
            Field(
                name="external_id",
                trim=True,
                # No secret to AWS, but here it is all that keeps others on this server from using the same role.
                secret=True,
                check="external_id",
                help="External id that the role's trust policy demands.",
            ),
            Field(name="legacy_auth", kind="flag", default=False, inert=True, help="Has no meaning here."),
        ),
    )


def by_federation(gcs: Provider) -> Provider:
    """`gcswif`: this process's token of another provider (AWS, OIDC), traded at Google for one of a pool's."""
    return replace(
        gcs,
        type="gcswif",
        title="Google Cloud Storage WIF Auth",
        listed=False,
        fields=(
            *_without_secrets(gcs),
            Field(
                name="google_project_number",
                needed=True,
                trim=True,
                check="number",
                help="Number of the project that has the workload identity pool.",
            ),
            Field(
                name="google_wif_pool_id",
                needed=True,
                trim=True,
                check="pool",
                help="Id of the workload identity pool.",
            ),
            Field(
                name="google_wif_provider_id",
                needed=True,
                trim=True,
                check="pool",
                help="Id of the pool's provider.",
            ),
            Field(
                name="google_service_account_email",
                trim=True,
                check="email",
                help="Service account to act as; empty: the pool's own principal, which then needs the roles itself.",
            ),
        ),
    )


def by_impersonation(gcs: Provider) -> Provider:
    """`gcs_sa`: a service account that this process's identity may act as."""
    return replace(
        gcs,
        type="gcs_sa",
        title="Google Cloud Storage with Service Account Impersonation",
        listed=False,
        fields=(
            *_without_secrets(gcs),
            Field(
                name="target_service_account_email",
                needed=True,
                trim=True,
                check="email",
                help="Service account to act as; this server must be its Service Account Token Creator.",
            ),
        ),
    )


def by_application(azure: Provider) -> Provider:
    """`azure_spi`: an application of Microsoft Entra ID, by its secret or by this process's federated token."""
    others = {"account_name", *(field.name for field in azure.fields if field.secret), "azure_endpoint"}
    return replace(
        azure,
        type="azure_spi",
        title="Azure Blob Storage with Service Principal",
        listed=False,
        location=("account_name", "container"),
        hosts=("account_name", "tenant_id", "client_id"),
        identity=None,
        fields=(
            *(field for field in azure.fields if field.name not in others),
            Field(
                name="account_name",
                needed=True,
                trim=True,
                check="account",
                help="Name of the storage account.",
            ),
            Field(
                name="auth_mode",
                label="Authentication",
                kind="choice",
                default=SERVICE_PRINCIPAL,
                options=(
                    (SERVICE_PRINCIPAL, "By the application's secret"),
                    (WORKLOAD_IDENTITY, "By this server's federated token"),
                ),
                help="service_principal: with client_secret. workload_identity: with this server's federated token.",
            ),
            Field(
                name="tenant_id",
                needed_if=BY_SECRET,
                trim=True,
                check="id",
                help="Tenant of the application; workload_identity: not used.",
            ),
            Field(
                name="client_id",
                needed_if=BY_SECRET,
                trim=True,
                check="id",
                help="Client id of the application; workload_identity, empty: the server's own.",
            ),
            Field(
                name="client_secret",
                needed_if=BY_SECRET,
                trim=True,
                secret=True,
                help="Secret of the application; workload_identity: not used.",
            ),
        ),
    )


def _without_secrets(provider: Provider) -> tuple[Field, ...]:
    return tuple(field for field in provider.fields if not field.secret)
