"""An object as an answer: conditions, ranges, and headers that keep it from acting in this server's name."""

from email.utils import formatdate

from fastapi import Request
from starlette.responses import Response, StreamingResponse

from functions.conditional import unchanged, wanted
from functions.errors import error_answer
from shared.services.context import Context
from shared.services.media.streaming import Media, pieces

VARY = "Authorization, X-API-Key, Cookie"
SAFE = {
    # Whoever may put objects into the bucket may not run scripts as this server's pages.
    "Content-Security-Policy": "sandbox; default-src 'none'; img-src 'self' data:; media-src 'self'; "
    "style-src 'unsafe-inline'",
    "X-Content-Type-Options": "nosniff",
}


def streamed(ctx: Context, request: Request, media: Media, *, tag: str = "") -> Response:
    """The object, or the part of it that was asked for, or that the client has it already. Memory is bounded.

    `tag`: an entity tag of its own, which is a weak one.
    """
    modified = media.stat.info.modified
    headers = {
        **SAFE,
        "Accept-Ranges": "bytes",
        "Cache-Control": f"private, max-age={ctx.settings.media_cache_seconds}, must-revalidate",
        "ETag": f'W/"{tag}"' if tag else f'"{media.tag}"',
        "Last-Modified": formatdate(modified, usegmt=True),
        "Vary": VARY,
    }
    if unchanged(request.headers, tag or media.tag, modified):
        return Response(status_code=304, headers=headers)
    part = wanted(
        request.headers,
        size=media.size,
        tag=media.tag,
        modified=modified,
        weak=bool(tag),
        longest=ctx.settings.media_max_range_bytes,
    )
    if part and part.start == part.stop:
        headers = {"Content-Range": f"bytes */{media.size}", "Accept-Ranges": "bytes"}
        return error_answer(416, f"The object has {media.size} bytes, and not the range asked for.", headers=headers)
    start, stop = part or (0, media.size)
    if part:
        headers["Content-Range"] = f"bytes {start}-{stop - 1}/{media.size}"
    if media.stat.content_encoding:
        headers["Content-Encoding"] = media.stat.content_encoding
    headers |= {"Content-Length": str(stop - start), "Content-Type": media.content_type}
    status = 206 if part else 200
    if request.method == "HEAD":
        return Response(status_code=status, headers=headers)
    return StreamingResponse(pieces(ctx, media, start, stop), status_code=status, headers=headers)
