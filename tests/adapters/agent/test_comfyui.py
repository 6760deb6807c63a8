"""ComfyUI on the machine: started once, found again, ended with all that it started."""

import json
import os
import signal
import sys
import urllib.request
from pathlib import Path

import pytest

from tests.adapters.agent.machine import AGENT, AgentMachine, gone, is_alive
from tests.adapters.agent.test_daemon import install

FAKE = f"""#!{sys.executable}
import http.server, json, os, subprocess, sys, time
options = dict(zip(sys.argv[1::2], sys.argv[2::2]))
open("arguments.json", "w").write(json.dumps([sys.argv[1:], dict(os.environ)]))
helper = subprocess.Popen(["sleep", "1000"])
open("helper", "w").write(str(helper.pid))
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = b'{{"system": {{}}}}'
        self.send_response(200 if self.path == "/system_stats" else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *ignored):
        pass
print("starting", flush=True)
http.server.ThreadingHTTPServer(("127.0.0.1", int(options["--port"])), Handler).serve_forever()
"""
DYING = "#!/bin/sh\necho some noise\necho 'CUDA error: no kernel image' >&2\nexit 3\n"
SILENT = "#!/bin/sh\necho $$ > pid\nexec sleep 1000\n"
DEAF = FAKE.replace("print(", "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(", 1)
START = {"op": "comfyui", "start": "comfyui"}
RESTART = {"op": "restart", "start": "comfyui", "cause": "one"}


@pytest.fixture
def ready(machine: AgentMachine) -> AgentMachine:
    """A machine whose image has ComfyUI."""
    install(machine, "comfyui", FAKE)
    return machine


def folder(machine: AgentMachine) -> Path:
    return machine.root / "comfyui"


async def test_it_answers_when_the_start_is_done(ready: AgentMachine) -> None:
    done = await ready.last(START)

    with urllib.request.urlopen(f"http://127.0.0.1:{done['port']}/system_stats") as answer:
        assert json.load(answer) == {"system": {}}
    assert is_alive(done["pid"])


async def test_it_listens_on_loopback_and_keeps_everything_below_the_root(ready: AgentMachine) -> None:
    done = await ready.last(START | {"args": ["--lowvram"]})

    arguments, environment = json.loads((folder(ready) / "arguments.json").read_text())
    base = ["--listen", "127.0.0.1", "--port", str(done["port"]), "--base-directory", str(folder(ready))]
    assert arguments == [*base, "--disable-metadata", "--lowvram"]
    assert environment["HOME"] == str(ready.root)
    assert environment["TMPDIR"].startswith(str(ready.root))


async def test_second_start_finds_the_first(ready: AgentMachine) -> None:
    assert await ready.last(START) == await ready.last(START)


async def test_it_outlives_the_agent_and_is_found_by_the_next(ready: AgentMachine) -> None:
    first = await ready.last(START)
    await ready.kill()
    await ready.start()

    assert await ready.last(START) == first


async def test_it_outlives_a_change_of_the_agents_version(ready: AgentMachine, tmp_path: Path) -> None:
    first = await ready.last(START)
    ready.source = tmp_path / "agent.py"
    ready.source.write_text(AGENT.read_text() + "# newer\n")
    await ready.start()

    assert await ready.last(START) == first


async def test_one_that_died_is_started_anew(ready: AgentMachine) -> None:
    first = await ready.last(START)
    os.kill(first["pid"], signal.SIGKILL)
    await gone(first["pid"])

    second = await ready.last(START)

    assert second["pid"] != first["pid"]


async def test_restart_ends_one_that_lives_and_starts_another(ready: AgentMachine) -> None:
    first = await ready.last(START)
    helper = int((folder(ready) / "helper").read_text())

    second = await ready.last(RESTART)

    assert second["pid"] != first["pid"]
    assert is_alive(second["pid"])
    await gone(first["pid"])
    await gone(helper)


async def test_restart_starts_one_that_died(ready: AgentMachine) -> None:
    first = await ready.last(START)
    os.kill(first["pid"], signal.SIGKILL)
    await gone(first["pid"])

    assert is_alive((await ready.last(RESTART))["pid"])


async def test_restart_for_the_same_cause_is_done_once(ready: AgentMachine) -> None:
    """Also when the agent itself was started anew between: whoever asked may not have heard the answer."""
    await ready.last(START)
    once = await ready.last(RESTART)
    await ready.kill()
    await ready.start()

    assert await ready.last(RESTART) == once
    assert (await ready.last(RESTART | {"cause": "another"}))["pid"] != once["pid"]


async def test_one_that_ignores_every_signal_but_the_last_is_ended_too(machine: AgentMachine) -> None:
    """Takes the five seconds that it is given to end by itself."""
    install(machine, "comfyui", DEAF)
    first = await machine.last(START)

    second = await machine.last(RESTART)

    assert second["pid"] != first["pid"]
    assert not is_alive(first["pid"])


async def test_stop_ends_it_and_what_it_started(ready: AgentMachine) -> None:
    done = await ready.last(START)
    helper = int((folder(ready) / "helper").read_text())

    await ready.call({"op": "stop"})

    await gone(done["pid"])
    await gone(helper)


async def test_status_tells_where_it_is(ready: AgentMachine) -> None:
    done = await ready.last(START)

    status = await ready.last({"op": "status"})

    assert status["comfyui"] == {"pid": done["pid"], "port": done["port"], "answers": True}


async def test_one_that_dies_is_told_with_its_last_words(machine: AgentMachine) -> None:
    install(machine, "comfyui", DYING)

    failed = await machine.last(START)

    assert failed["code"] == "comfyui_died"
    assert "no kernel image" in failed["detail"]


async def test_one_that_stays_silent_is_ended(machine: AgentMachine) -> None:
    install(machine, "comfyui", SILENT)

    failed = await machine.last(START | {"limit_s": 0.5})

    assert failed["code"] == "comfyui_silent"
    await gone(int((folder(machine) / "pid").read_text()))


async def test_machine_without_it_says_so(machine: AgentMachine) -> None:
    failed = await machine.last(START)

    assert failed["code"] == "no_comfyui"


async def test_program_that_cannot_run_is_one_that_died(machine: AgentMachine) -> None:
    install(machine, "comfyui", "#!/no/such/interpreter\n")

    assert (await machine.last(START))["code"] == "comfyui_died"
