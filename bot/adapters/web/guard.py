"""Who is answered: this computer's own browser and programs. Everything else on the web is kept out."""

import logging
import re

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

log = logging.getLogger(__name__)

_LOOPBACK = re.compile(r"(127\.0\.0\.1|localhost|\[::1\])(:[0-9]{1,5})?", re.IGNORECASE)
"""Any other Host means that a name of somebody else's points here (DNS rebinding)."""

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' data: blob:; object-src 'none'; "
        "frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def refusal(sentence: str, status: int = 400) -> web.Response:
    """Every error of the page's API is one sentence."""
    return web.json_response({"error": sentence}, status=status)


@web.middleware
async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse what does not come from here, and say every error as JSON."""
    sentence = _foreign(request)
    if sentence:
        return refusal(sentence, 403)
    try:
        return await handler(request)
    except web.HTTPRequestEntityTooLarge:
        return refusal("That is too long; shorten it.")
    except web.HTTPException as error:
        if error.status < 400:
            raise
        return refusal(_SENTENCES.get(error.status, error.reason), error.status)
    except ConnectionResetError:
        raise
    except Exception:
        log.exception("%s %s failed", request.method, request.rel_url.raw_path[:200])  # as it came, without line breaks
        return refusal("The bot could not do that; its log says why.", 500)


_SENTENCES = {404: "There is nothing at this address.", 405: "This address does not take that method."}


def _foreign(request: web.Request) -> str:
    """Why this request is refused; empty when it is not."""
    host = request.headers.get(hdrs.HOST, "")
    if not _LOOPBACK.fullmatch(host):
        return "This page answers to 127.0.0.1 and localhost only."
    origin = request.headers.get(hdrs.ORIGIN)
    if origin is not None and origin.lower() != f"http://{host.lower()}":
        return "This page answers to its own origin only."
    if request.headers.get("Sec-Fetch-Site", "none") in {"cross-site", "same-site"} and not _is_visit(request):
        return "This page answers to its own origin only."
    return ""


def _is_visit(request: web.Request) -> bool:
    """
    Whether somebody follows a link to here.

    Whatever else another page asks for it cannot read, but an event stream that it opens unseen takes an open page's
    place. Browsers say so (W3C Fetch Metadata); a program says nothing and is answered.
    """
    return request.method == hdrs.METH_GET and (
        request.headers.get("Sec-Fetch-Mode"),
        request.headers.get("Sec-Fetch-Dest"),
    ) == ("navigate", "document")


async def add_headers(_request: web.Request, response: web.StreamResponse) -> None:
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
