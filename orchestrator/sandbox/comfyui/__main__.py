"""
`python -m orchestrator.sandbox.comfyui`: takes the options of ComfyUI's `main.py` that matter here.

Environment: `GLOWPLUG_COMFYUI_START_S` (seconds until it listens), `GLOWPLUG_PAINT_MS` (one prompt's sampling),
`GLOWPLUG_LOAD_MS` (loading the first models), `GLOWPLUG_COMFYUI_FAULT_FILE` (see `ServerSettings.fault_file`).
"""

import argparse
import asyncio
import logging
import os
import signal
import sys
from pathlib import Path

from orchestrator.sandbox.comfyui.executor import Pace
from orchestrator.sandbox.comfyui.server import ServerSettings, open_server

log = logging.getLogger("comfyui")


def read_settings(arguments: list[str], environment: dict[str, str]) -> ServerSettings:
    """Read the command line; options of the real server that change nothing here are let pass."""
    parser = argparse.ArgumentParser(prog="comfyui", description="Speaks ComfyUI's protocol and paints.")
    parser.add_argument("--listen", nargs="?", const="127.0.0.1", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8188)
    parser.add_argument("--base-directory", type=Path, default=Path())
    parser.add_argument("--disable-metadata", action="store_true")
    options, _ = parser.parse_known_args(arguments)
    fault_file = environment.get("GLOWPLUG_COMFYUI_FAULT_FILE")
    return ServerSettings(
        listen=options.listen,
        port=options.port,
        base=options.base_directory,
        pace=Pace(
            sampling_s=float(environment.get("GLOWPLUG_PAINT_MS", "1200")) / 1000,
            loading_s=float(environment.get("GLOWPLUG_LOAD_MS", "800")) / 1000,
        ),
        fault_file=Path(fault_file) if fault_file else None,
        keeps_metadata=not options.disable_metadata,
        argv=("main.py", *arguments),
    )


async def serve(settings: ServerSettings, start_s: float) -> None:
    """Serve until SIGINT or SIGTERM."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    await asyncio.sleep(start_s)
    async with open_server(settings) as address:
        log.info("To see the GUI go to: %s", address)
        await stop.wait()


def main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    settings = read_settings(sys.argv[1:], dict(os.environ))
    log.info("Starting server")
    asyncio.run(serve(settings, float(os.environ.get("GLOWPLUG_COMFYUI_START_S", "0"))))


if __name__ == "__main__":
    main()
