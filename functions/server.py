"""What answers: the version, and whether it runs. Both are open to everybody."""

from fastapi import APIRouter

from functions.errors import Json
from functions.routes import Route
from functions.schemas import Health, Version
from shared import __version__

router = APIRouter(tags=["Server"], route_class=Route)


@router.get("/api/version", response_model=Version)
def version() -> Json:
    """The version of this server."""
    return Json({"release": __version__, "sluice": {"version": __version__}})


@router.get("/health", response_model=Health)
async def health() -> Json:
    """Answers while the server runs; asks nothing else."""
    return Json({"status": "UP"})
