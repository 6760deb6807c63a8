"""None of aiohttp's exceptions crosses the port."""

import inspect

import aiohttp
import pytest
from aiohttp import http_exceptions
from aiohttp.client_exceptions import UnixClientConnectorError
from aiohttp.client_reqrep import ConnectionKey, RequestInfo
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from orchestrator.adapters.comfyui.http import translated
from orchestrator.domain.errors import ComfyUnavailable

NEVER_OUT = {
    "EofStream": "aiohttp's own readers catch it",
    "WSMessageTypeError": "only receive_str and receive_bytes raise it, which nobody here calls",
}


def exceptions() -> list[type[Exception]]:
    """All that aiohttp can raise in a client."""
    found: set[type[Exception]] = {
        thing
        for module in (aiohttp, aiohttp.client_exceptions, http_exceptions)
        for thing in vars(module).values()
        if inspect.isclass(thing) and issubclass(thing, Exception) and thing.__module__.startswith("aiohttp")
    }
    return sorted(
        (it for it in found if it.__name__ not in NEVER_OUT and not issubclass(it, Warning)), key=lambda it: it.__name__
    )


def instance(kind: type[Exception]) -> Exception:
    """One of *kind*, built as aiohttp builds it, or as far as its constructor can be done without."""
    key = ConnectionKey("host", 80, False, True, None, None, None)
    if issubclass(kind, aiohttp.ClientConnectorCertificateError):
        return kind(key, ValueError("certificate"))
    if issubclass(kind, UnixClientConnectorError):
        return kind("/socket", key, OSError(111, "refused"))
    if issubclass(kind, aiohttp.ClientConnectorError):
        return kind(key, OSError(111, "refused"))
    if issubclass(kind, aiohttp.ClientResponseError):
        headers: CIMultiDictProxy[str] = CIMultiDictProxy(CIMultiDict())
        return kind(RequestInfo(URL("http://user:s3cret@host/"), "GET", headers), ())
    return kind.__new__(kind)


@pytest.mark.parametrize("kind", exceptions(), ids=lambda kind: kind.__name__)
def test_each_exception_of_aiohttp_becomes_ours(kind: type[Exception]) -> None:
    with pytest.raises(ComfyUnavailable) as told, translated("/prompt"):
        raise instance(kind)

    assert "s3cret" not in str(told.value)


@pytest.mark.parametrize("error", [TimeoutError(), ConnectionResetError(), BrokenPipeError(), OSError(24, "files")])
def test_so_does_what_the_system_raises(error: Exception) -> None:
    with pytest.raises(ComfyUnavailable), translated("/prompt"):
        raise error
