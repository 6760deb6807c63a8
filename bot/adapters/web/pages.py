"""The page itself: plain files, checked for a newer version each time."""

from pathlib import Path

from aiohttp import web

STATIC = Path(__file__).parent / "static"
_FRESH = {"Cache-Control": "no-cache"}


async def index(_request: web.Request) -> web.FileResponse:
    return web.FileResponse(STATIC / "index.html", headers=_FRESH)


async def static(request: web.Request) -> web.StreamResponse:
    """One file of the static folder itself; it has no folders below."""
    name = request.match_info["name"]
    path = STATIC / name
    if path.parent != STATIC or not path.is_file():
        raise web.HTTPNotFound
    return web.FileResponse(path, headers=_FRESH)
