"""The page itself: plain files, checked for a newer version each time."""

import re
from pathlib import Path

from aiohttp import web

STATIC = Path(__file__).parent / "static"
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,60}\.[a-z0-9]{1,10}")
_FRESH = {"Cache-Control": "no-cache"}


async def index(_request: web.Request) -> web.FileResponse:
    return web.FileResponse(STATIC / "index.html", headers=_FRESH)


async def static(request: web.Request) -> web.StreamResponse:
    """One file of the static folder itself; it has no folders below."""
    name = request.match_info["name"]
    if not _NAME.fullmatch(name) or not (STATIC / name).is_file():
        raise web.HTTPNotFound
    return web.FileResponse(STATIC / name, headers=_FRESH)
