"""Who calls, and what answers."""

from typing import Any

from fastapi import APIRouter

from functions.dependencies import Caller
from functions.errors import Json
from functions.schemas import ERRORS
from shared import __version__
from shared.model.times import moment

router = APIRouter()


@router.get("/api/current-user/whoami", tags=["Users"], responses=ERRORS, response_model=dict[str, Any])
def whoami(user: Caller) -> Json:
    """The user the token belongs to."""
    return Json(
        {
            "id": user.id,
            "first_name": user.first_name,
            "last_name": user.last_name,
            "username": user.username,
            "email": user.email,
            "last_activity": None,
            "avatar": None,
            "initials": user.username[:2],
            "phone": "",
            "active_organization": 1,
            "active_organization_meta": {"title": "Sluice", "email": user.email},
            "allow_newsletters": False,
            "date_joined": moment(user.created_at),
        }
    )


@router.get("/api/version", tags=["Server"], response_model=dict[str, Any])
def version() -> Json:
    """The version of this server."""
    return Json({"release": __version__, "sluice": {"version": __version__}})


@router.get("/health", tags=["Server"], response_model=dict[str, str])
async def health() -> Json:
    """Answers while the server runs; asks nothing else."""
    return Json({"status": "UP"})
