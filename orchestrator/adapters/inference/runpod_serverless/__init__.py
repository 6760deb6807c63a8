"""
RunPod Serverless: your own endpoint that runs worker-comfyui, and RunPod's public endpoint for Flux schnell.

worker.py    your endpoint: our own graph with its LoRA, paid by the second
public.py    the public endpoint: plain pictures, paid by the megapixel
jobs.py      order one job, follow it, withdraw it: the job API that both share
wire.py      their JSON <-> our values; pure
answers.py   what a refusal means; pure
client.py    bounded requests, and the only place where aiohttp's exceptions are seen
pictures.py  fetches a picture by its address
limits.py    how long and how much of everything

The job API as in docs.runpod.io/serverless/endpoints (send-requests, operation-reference, job-states), read 2026-08.
"""

from orchestrator.adapters.inference.runpod_serverless.public import runpod_public
from orchestrator.adapters.inference.runpod_serverless.worker import runpod_serverless

__all__ = ["runpod_public", "runpod_serverless"]
