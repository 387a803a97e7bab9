"""What answers: the version, and whether it runs. Both are open to everybody."""

from typing import Any

from fastapi import APIRouter

from functions.errors import Json
from shared import __version__

router = APIRouter(tags=["Server"])


@router.get("/api/version", response_model=dict[str, Any])
def version() -> Json:
    """The version of this server."""
    return Json({"release": __version__, "sluice": {"version": __version__}})


@router.get("/health", response_model=dict[str, str])
async def health() -> Json:
    """Answers while the server runs; asks nothing else."""
    return Json({"status": "UP"})
