"""Webhooks: whom events are posted to."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.responses import Response

from functions.access import OwnWebhook
from functions.dependencies import Caller, Ctx
from functions.errors import Json
from functions.requests import Flag, Given, number
from functions.routes import Route, request_body
from functions.schemas_webhooks import WebhookAction, WebhookEdit, WebhookIn, WebhookOut
from shared.errors import CredentialsError, InvalidInputError
from shared.model.times import moment
from shared.model.webhook import ACTIONS, Webhook
from shared.services.context import Context
from shared.services.secrets import MASK
from shared.services.webhooks import webhooks

router = APIRouter(prefix="/api/webhooks", tags=["Webhooks"], route_class=Route)
OF_ALL = "isnull"
"""Label Studio's name for no project in `?project=`."""


def shown(ctx: Context, webhook: Webhook) -> dict[str, Any]:
    """A webhook as the API shows it: the values of its headers, which are passwords as a rule, are masked."""
    last_error = webhook.last_error
    try:
        where = webhooks.address(ctx, webhook)
    except CredentialsError as error:
        where, last_error = webhooks.Address("", {}), error.message
    return {
        "id": webhook.id,
        "organization": 1,
        "project": webhook.project,
        "url": where.url,
        "send_payload": webhook.send_payload,
        "send_for_all_actions": webhook.send_for_all_actions,
        "headers": dict.fromkeys(where.headers, MASK),
        "is_active": webhook.is_active,
        "actions": list(webhook.actions),
        "created_at": moment(webhook.created_at),
        "updated_at": moment(webhook.updated_at),
        "consecutive_failures": webhook.consecutive_failures,
        "last_error": last_error,
    }


@router.get("", response_model=list[WebhookOut])
def list_webhooks(
    ctx: Ctx,
    user: Caller,
    project: Annotated[
        str | None, Query(description=f"Id of a project, or `{OF_ALL}` for the webhooks of all projects.")
    ] = None,
) -> Json:
    """The caller's webhooks, oldest first; with `project`, those of that project alone."""
    if not project:
        found = webhooks.visible(ctx, user=user)
    elif project == OF_ALL:
        found = webhooks.of_project(ctx, None, user=user)
    else:
        known = ctx.projects.get(number(project)) if user.may_see(number(project)) else None
        if known is None:
            text = "Select a valid choice. That choice is not one of the available choices."
            raise InvalidInputError.of("project", text)
        found = webhooks.of_project(ctx, known.value.id, user=user)
    return Json([shown(ctx, webhook) for webhook in found])


@router.post("", status_code=201, response_model=WebhookOut, responses={403: {}}, openapi_extra=request_body(WebhookIn))
def create_webhook(ctx: Ctx, user: Caller, given: Given) -> Json:
    """Add a webhook to a project, or to all projects, which only an admin may."""
    return Json(shown(ctx, webhooks.create(ctx, given, user=user)), 201)


@router.get("/info", response_model=dict[str, WebhookAction])
def list_actions(
    _user: Caller,
    organization_only: Annotated[Flag, Query(alias="organization-only", description="Only actions of that kind.")] = "",
) -> Json:
    """The actions that webhooks can be told of."""
    wanted = organization_only.lower() == "true" if organization_only else None
    return Json(
        {
            name: {
                "name": action.name,
                "description": "",
                "key": action.key,
                "organization-only": action.organization_only,
            }
            for name, action in ACTIONS.items()
            if wanted in (None, action.organization_only)
        }
    )


@router.get("/{id}", response_model=WebhookOut)
def get_webhook(ctx: Ctx, webhook: OwnWebhook) -> Json:
    """One webhook."""
    return Json(shown(ctx, webhook))


@router.patch("/{id}", response_model=WebhookOut, openapi_extra=request_body(WebhookEdit))
def update_webhook(ctx: Ctx, webhook: OwnWebhook, given: Given) -> Json:
    """Edit a webhook: only the given fields change. A header given as it is shown, masked, keeps its value."""
    return Json(shown(ctx, webhooks.update(ctx, webhook.id, given, partial=True)))


@router.put("/{id}", response_model=WebhookOut, openapi_extra=request_body(WebhookIn))
def replace_webhook(ctx: Ctx, webhook: OwnWebhook, given: Given) -> Json:
    """Set all fields of a webhook but its project; headers that are not given are kept."""
    return Json(shown(ctx, webhooks.update(ctx, webhook.id, given, partial=False)))


@router.delete("/{id}", status_code=204, response_class=Response)
def delete_webhook(ctx: Ctx, webhook: OwnWebhook) -> Response:
    """Delete a webhook; what it was still to be told is dropped."""
    webhooks.delete(ctx, webhook.id)
    return Response(status_code=204)
