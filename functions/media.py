"""What browsers load: objects of buckets, by a redirect to a signed URL or as a stream; and local files."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import PlainTextResponse, Response

from functions.access import OwnProject, OwnTask
from functions.dependencies import Caller, Ctx
from functions.errors import Json
from functions.requests import Given
from functions.routes import Route, request_body
from functions.schemas import ErrorBody
from functions.schemas_media import MediaError, ResolvedMany, ResolveMany
from functions.streams import VARY, streamed
from shared.errors import InvalidInputError, StoreError
from shared.model.uris import from_fileuri
from shared.ports import Document
from shared.services.context import Context
from shared.services.media import covering, local_files, streaming
from shared.services.media.signing import SignedUrls, resolve_many

router = APIRouter(tags=["Media"], route_class=Route)
SERVING_DISABLED = (
    "Serving local files is disabled: set LOCAL_FILES_SERVING_ENABLED=true where Sluice is started, and "
    "LOCAL_FILES_DOCUMENT_ROOT to the folder that holds the data."
)
FileUri = Annotated[
    str,
    Query(description="The object's URI (gs, s3 or azure-blob), in URL-safe base64 or percent-encoded."),
]
BYTES = {"*/*": {"schema": {"type": "string", "format": "binary"}}}
STREAMED: dict[int | str, dict[str, Any]] = {
    200: {"description": "All of it.", "content": BYTES},
    206: {"description": "The range that was asked for.", "content": BYTES},
    304: {"description": "What you have is the newest."},
    404: {},
    416: {"model": ErrorBody, "description": "It has no such range; `Content-Range` says how long it is."},
}
LOCAL_FORBIDDEN: dict[str, Any] = {
    "description": "Local files are not served here, or `d` is missing.",
    "content": {"text/plain": {"schema": {"type": "string"}}},
}
RESOLVED: dict[int | str, dict[str, Any]] = {
    **STREAMED,
    303: {"description": "To a signed URL: `Location`. `Cache-Control` says for how long the redirect may be kept."},
    424: {
        "model": MediaError,
        "description": "The storage does not give it, or signs no URL for it; `detail` says why.",
    },
}


def signed_urls(request: Request) -> SignedUrls:
    """Those that this process keeps."""
    urls: SignedUrls = request.app.state.signed_urls
    return urls


Urls = Annotated[SignedUrls, Depends(signed_urls)]


@router.get("/tasks/{id}/resolve", responses=RESOLVED, name="resolve_of_task")
@router.get("/tasks/{id}/presign", responses=RESOLVED, name="presign_of_task")
@router.head("/tasks/{id}/resolve", include_in_schema=False)
@router.head("/tasks/{id}/presign", include_in_schema=False)
def resolve_of_task(ctx: Ctx, urls: Urls, request: Request, task: OwnTask, fileuri: FileUri = "") -> Response:
    """Load an object that a task names: a redirect to a signed URL, or the object itself if its storage says so.

    Only what a storage of the task's project covers, bucket and prefix, can be had.
    """
    return _media(ctx, urls, request, task.project.id, fileuri, task.document)


@router.get("/projects/{id}/resolve", responses=RESOLVED, name="resolve_of_project")
@router.get("/projects/{id}/presign", responses=RESOLVED, name="presign_of_project")
@router.head("/projects/{id}/resolve", include_in_schema=False)
@router.head("/projects/{id}/presign", include_in_schema=False)
def resolve_of_project(ctx: Ctx, urls: Urls, request: Request, project: OwnProject, fileuri: FileUri = "") -> Response:
    """Load an object that a storage of the project covers: see the same of a task."""
    return _media(ctx, urls, request, project.id, fileuri)


@router.post("/api/projects/{id}/resolve/batch", response_model=ResolvedMany, openapi_extra=request_body(ResolveMany))
def resolve_batch(ctx: Ctx, urls: Urls, project: OwnProject, given: Given) -> Json:
    """Sign many URIs at once. What can't be is told beside each; objects are not looked for."""
    uris, most = given.get("uris"), ctx.settings.max_resolve_uris
    if not isinstance(uris, list) or not all(isinstance(uri, str) for uri in uris):
        raise InvalidInputError.of("uris", "A list of texts is needed.")
    if len(uris) > most:
        raise InvalidInputError.of("uris", f"There are {len(uris)}; at most {most} are taken at once.")
    return Json({"results": [it._asdict() for it in resolve_many(ctx, urls, project.id, uris)]})


@router.get("/data/local-files", responses={**STREAMED, 403: LOCAL_FORBIDDEN}, name="local_file")
@router.head("/data/local-files", include_in_schema=False)
def local_file(
    ctx: Ctx,
    user: Caller,
    request: Request,
    d: Annotated[str, Query(description="Path of the file below the document root.")] = "",
) -> Response:
    """Load a file of a local storage of a project that you may see."""
    if not ctx.settings.local_files_serving_enabled:
        return PlainTextResponse(SERVING_DISABLED, 403)
    if not d:
        return PlainTextResponse("d names the file to load, which is missing.", 403)
    media = local_files.find(ctx, d, user=user)
    stamp, _, size = media.stat.version.rpartition("-")
    return streamed(ctx, request, media, tag=f"{int(stamp):x}-{int(size):x}")


def _media(
    ctx: Context, urls: SignedUrls, request: Request, project: int, fileuri: str, task: Document | None = None
) -> Response:
    """A redirect to an object, or the object."""
    if not fileuri:
        raise InvalidInputError.of("fileuri", "This field is required.")
    found = covering.covering(ctx, from_fileuri(fileuri), project, task)
    try:
        signed = urls.get(ctx, found.storage, found.key, "HEAD" if request.method == "HEAD" else "GET")
        if signed is None:
            return streamed(ctx, request, streaming.find(ctx, found.storage.value, found.key))
    except StoreError as error:
        return Json({"error": "The storage does not give this object.", "detail": error.message}, 424)
    left = max(0, int(signed.fresh_until - ctx.clock()))
    headers = {"Location": signed.url, "Cache-Control": f"private, max-age={left}", "Vary": VARY}
    return Response(status_code=303, headers=headers)
