"""
ComfyUI over aiohttp: the ports of ``orchestrator/ports/comfy.py``.

connector.py    one constructor per transport: a Unix socket, or a URL
connection.py   paint, resume, interrupt, upload, stats
events.py       the one WebSocket of a connection, opened again when it is lost
course.py       what the messages say about one prompt; pure
complaints.py   ComfyUI's errors -> our errors, with one sentence for the person; pure
http.py         bounded requests, and the only place where aiohttp's exceptions are seen
wire.py         the JSON of its answers

Behaviour of the server as recorded from ComfyUI 0.3.64 in ``tests/data/comfyui``.
"""

from orchestrator.adapters.comfyui.connector import ComfyUiConnector, connect_url
from orchestrator.adapters.comfyui.http import ComfyRefused
from orchestrator.adapters.comfyui.limits import ComfyLimits

__all__ = ["ComfyLimits", "ComfyRefused", "ComfyUiConnector", "connect_url"]
