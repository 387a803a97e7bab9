"""Refresh tokens: made, listed, exchanged for access tokens, rotated, revoked."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from starlette.responses import Response

from functions.access import visible_user
from functions.dependencies import Caller, Ctx
from functions.errors import Json
from functions.requests import Given, GivenSmall, Number, number, ordered
from functions.routes import Route, request_body
from functions.schemas_accounts import Access, Refresh, RefreshIn, TokenIn, TokenOut
from shared.errors import ForbiddenError, InvalidInputError
from shared.model.times import moment
from shared.model.user import User
from shared.services.accounts import issuing, tokens, users
from shared.services.accounts.issuing import Issued
from shared.services.context import Context

router = APIRouter(prefix="/api/token", tags=["Tokens"], route_class=Route)
ORDER = ("created_at", "expires_at")


def token_shape(issued: Issued) -> dict[str, Any]:
    """A token as the API shows it; `id` is ours."""
    about = issued.about
    return {
        "id": about.jti,
        "token": issued.token,
        "created_at": moment(about.created_at),
        "expires_at": moment(about.expires_at),
    }


@router.post("", status_code=201, response_model=TokenOut, responses={403: {}}, openapi_extra=request_body(TokenIn))
def create_token(ctx: Ctx, caller: Caller, given: Given) -> Json:
    """Make a refresh token, for yourself or, as an admin, for another user. It is shown this once."""
    return Json(token_shape(issuing.new_refresh(ctx, _owner(ctx, caller, given.get("user")))), 201)


@router.get("", response_model=list[TokenOut])
def list_tokens(
    ctx: Ctx,
    caller: Caller,
    user: Annotated[Number, Query(description="Id of another user, for admins.")] = None,
    ordering: Annotated[str, Query(description=f"One of {', '.join(ORDER)}; - before it.")] = "",
) -> Json:
    """Your refresh tokens that are good, without their signatures, so that none can be used."""
    owner = visible_user(ctx, caller, number(user)) if user else caller
    return Json(ordered([token_shape(one) for one in issuing.listed(ctx, owner.id)], ordering, ORDER))


@router.post("/refresh", response_model=Access, responses={401: {}}, openapi_extra=request_body(RefreshIn))
def refresh_token(ctx: Ctx, given: GivenSmall) -> Json:
    """An access token for a refresh token, good for five minutes. Needs no other authentication."""
    return Json({"access": tokens.access(ctx, _refresh(given))})


@router.post("/rotate", response_model=Refresh, openapi_extra=request_body(RefreshIn))
def rotate_token(ctx: Ctx, caller: Caller, given: Given) -> Json:
    """A new refresh token in place of this one, which is worthless from then on."""
    return Json({"refresh": issuing.rotate(ctx, _refresh(given), by=caller).token})


@router.post(
    "/blacklist",
    status_code=204,
    response_class=Response,
    responses={404: {}},
    openapi_extra=request_body(RefreshIn),
)
def blacklist_token(ctx: Ctx, caller: Caller, given: Given) -> Response:
    """Revoke a refresh token; 404 if that was done before. Access tokens made with it last out their minutes."""
    issuing.revoke(ctx, _refresh(given), by=caller)
    return Response(status_code=204)


@router.delete("/{id}", status_code=204, response_class=Response)
def delete_token(ctx: Ctx, caller: Caller, id: Annotated[str, Path(description="As listed.")]) -> Response:  # noqa: A002
    """Revoke a refresh token by its id, if the token itself is lost."""
    issuing.revoke_named(ctx, id, by=caller)
    return Response(status_code=204)


def _refresh(given: dict[str, Any]) -> str:
    token = given.get("refresh")
    if token is None:
        raise InvalidInputError.of("refresh", "This field is required.")
    if not isinstance(token, str):
        raise InvalidInputError.of("refresh", "Not a valid string.")
    return token


def _owner(ctx: Context, caller: User, user: Any) -> User:
    """Whom a token is made for."""
    wanted = caller.id if user in (None, "") else 0 if isinstance(user, bool) else number(str(user))
    if wanted == caller.id:
        return caller
    if not caller.admin:
        raise ForbiddenError("You do not have permission to make a token for another user: only an admin has.")
    owner = {one.id: one for one in users.named(ctx, [wanted], caller).values() if one.active}.get(wanted)
    if owner is None:
        raise InvalidInputError.of("user", f'Invalid pk "{str(user)[:30]}" - object does not exist.')
    return owner
