"""Users, and who calls."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.responses import Response

from functions.access import Admin, OwnUser
from functions.dependencies import Caller, Ctx
from functions.errors import Json
from functions.requests import Given, ordered
from functions.routes import Route, request_body
from functions.schemas import Detail
from functions.schemas_accounts import LegacyToken, UserEdit, UserIn, UserOut
from shared.model.times import moment
from shared.model.user import User
from shared.services.accounts import issuing, users

router = APIRouter(prefix="/api", tags=["Users"], route_class=Route)
ORDER = ("id", "email", "username", "first_name", "last_name", "date_joined")
KEPT_AS_HASH = (
    "Tokens are kept as hashes and can't be shown again. POST /api/current-user/reset-token/ gives a new one in place "
    "of yours; POST /api/token/ gives a refresh token beside those you have."
)


def user_shape(user: User) -> dict[str, Any]:
    """A user as the API shows them; role and projects are ours."""
    return {
        "id": user.id,
        "first_name": user.first_name,
        "last_name": user.last_name,
        "username": user.username,
        "email": user.email,
        "last_activity": None,
        "avatar": None,
        "initials": (user.first_name[:1] + user.last_name[:1]) or user.username[:2],
        "phone": "",
        "active_organization": 1,
        "active_organization_meta": {"title": "Sluice", "email": user.email},
        "allow_newsletters": False,
        "date_joined": moment(user.created_at),
        "role": user.role,
        "projects": sorted(user.projects),
    }


@router.get("/current-user/whoami", response_model=UserOut)
def whoami(user: Caller) -> Json:
    """The user the token belongs to."""
    return Json(user_shape(user))


@router.get("/current-user", response_model=UserOut)
def get_current_user(user: Caller) -> Json:
    """The user the token belongs to; the same as `whoami`."""
    return Json(user_shape(user))


@router.patch("/current-user", response_model=UserOut, responses={403: {}}, openapi_extra=request_body(UserEdit))
def update_current_user(ctx: Ctx, user: Caller, given: Given) -> Json:
    """Edit your own names."""
    return Json(user_shape(users.update(ctx, user.id, given, caller=user)))


@router.get("/current-user/token", response_model=Detail)
def get_current_token(_user: Caller) -> Json:
    """Says how to get a token: the one you use can't be shown."""
    return Json({"detail": KEPT_AS_HASH})


@router.post("/current-user/reset-token", status_code=201, response_model=LegacyToken)
def reset_current_token(ctx: Ctx, user: Caller) -> Json:
    """A new token that has no end, in place of the one you had; the server's own stays good."""
    return Json({"token": issuing.reset_legacy(ctx, user)}, 201)


@router.get("/users", response_model=list[UserOut])
def list_users(
    ctx: Ctx, user: Caller, ordering: Annotated[str, Query(description=f"One of {', '.join(ORDER)}; - before it.")] = ""
) -> Json:
    """Everybody with access; a member sees only themselves."""
    return Json(ordered([user_shape(one) for one in users.visible(ctx, user)], ordering, ORDER))


@router.post("/users", status_code=201, response_model=UserOut, openapi_extra=request_body(UserIn))
def create_user(ctx: Ctx, _user: Admin, given: Given) -> Json:
    """Add a user, who has no token yet: POST /api/token/ with their id makes one."""
    return Json(user_shape(users.create(ctx, given)), 201)


@router.get("/users/{id}", response_model=UserOut)
def get_user(user: OwnUser) -> Json:
    """One user."""
    return Json(user_shape(user))


@router.patch("/users/{id}", response_model=UserOut, responses={403: {}}, openapi_extra=request_body(UserEdit))
def update_user(ctx: Ctx, caller: Caller, user: OwnUser, given: Given) -> Json:
    """Edit a user: only the given fields change. Role and projects are for admins to give; they count at once."""
    return Json(user_shape(users.update(ctx, user.id, given, caller=caller)))


@router.delete("/users/{id}", status_code=204, response_class=Response)
def delete_user(ctx: Ctx, _caller: Admin, user: OwnUser) -> Response:
    """Take a user's access away: their tokens are worthless at once. What they made stays theirs by name."""
    users.deactivate(ctx, user.id)
    return Response(status_code=204)
