"""The shapes of webhooks for the documentation at /docs."""

from pydantic import BaseModel, Field


class WebhookIn(BaseModel):
    """Fields of a webhook; all but the address are optional."""

    url: str = Field(description="http:// or https://; without name and password.")
    project: int | None = Field(None, description="None: all projects. Can't be changed.")
    headers: dict[str, str] = Field({}, description="Sent with every post. Encrypted; masked when they are shown.")
    is_active: bool = True
    send_payload: bool = Field(True, description="False: only the name of the action is sent.")
    send_for_all_actions: bool = Field(True, description="False: only those of `actions`.")
    actions: list[str] = Field([], description="See `info`.")


class WebhookOut(WebhookIn):
    """A webhook, and how it does."""

    id: int
    organization: int
    created_at: str
    updated_at: str
    consecutive_failures: int = Field(description="Events given up since one was delivered.")
    last_error: str = Field(description="Why an event was given up the last time.")


class WebhookAction(BaseModel):
    """What webhooks can be told of."""

    name: str
    description: str
    key: str = Field(description="Where the payload holds it.")
    organization_only: bool = Field(alias="organization-only", description="Only for webhooks of all projects.")
