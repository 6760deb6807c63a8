"""
RunPod's job API on this computer: an endpoint that runs worker-comfyui, and RunPod's public one for Flux schnell.

server.py    the addresses, and what goes wrong before anybody works
desk.py      the jobs: who waits, who runs, what ended how, and what that costs
graph.py     what a graph asks for: words, size, seed
troubles.py  what can be wrong

Any id of an endpoint but one that is gone is one that runs worker-comfyui.
"""

from orchestrator.sandbox.runpod_serverless.server import app
from orchestrator.sandbox.runpod_serverless.troubles import Trouble

__all__ = ["Trouble", "app"]
