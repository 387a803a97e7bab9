"""The shapes of webhooks for the documentation at /docs; see `schemas`."""

from pydantic import Field

from functions.schemas import Moment, Shape, example


class _WebhookFields(Shape):
    project: int | None = Field(None, description="Id of the project; null: all projects. Can't be changed.")
    headers: dict[str, str] = Field({}, description="Sent with every post. Encrypted; masked when they are shown.")
    is_active: bool = Field(True, description="Whether it is told of anything.")
    send_payload: bool = Field(True, description="False: only the name of the action is sent.")
    send_for_all_actions: bool = Field(True, description="False: only those of `actions`.")
    actions: list[str] = Field([], description="Names of actions; GET /api/webhooks/info lists them.")


class WebhookEdit(_WebhookFields):
    """Fields of a webhook; only those that are given change."""

    model_config = example(is_active=False)
    url: str = Field("", description="http:// or https://; without name and password.")


class WebhookIn(_WebhookFields):
    """Fields of a webhook; all but the address are optional."""

    model_config = example(
        project=1,
        url="https://example.org/hook",
        headers={"Authorization": "Bearer of-the-receiver"},
        send_for_all_actions=False,
        actions=["TASKS_CREATED", "ANNOTATION_CREATED"],
    )
    url: str = Field(description="http:// or https://; without name and password.")


class WebhookOut(Shape):
    """A webhook, and how it does."""

    id: int = Field(description="Id of the webhook.")
    organization: int = Field(description="Always 1.")
    project: int | None = Field(description="Id of the project; null: all projects.")
    url: str = Field(description="Where events are posted to.")
    send_payload: bool = Field(description="False: only the name of the action is sent.")
    send_for_all_actions: bool = Field(description="False: only those of `actions`.")
    headers: dict[str, str] = Field(description="Sent with every post; the values are masked.")
    is_active: bool = Field(description="Whether it is told of anything.")
    actions: list[str] = Field(description="Names of actions.")
    created_at: Moment = Field(description="When it was made.")
    updated_at: Moment = Field(description="When it was changed last.")
    consecutive_failures: int = Field(description="Events given up since one was delivered.")
    last_error: str = Field(description="Why an event was given up the last time.")


class WebhookAction(Shape):
    """What webhooks can be told of."""

    name: str = Field(description="What people call it.")
    description: str = Field(description="Always empty.")
    key: str = Field(description="Where the payload holds what the event is about.")
    organization_only: bool = Field(alias="organization-only", description="Only for webhooks of all projects.")
