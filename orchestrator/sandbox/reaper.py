"""
Ends every process that carries a mark in its environment, wherever it has daemonized to.

Also a program: the watchdog that a sandbox starts beside itself, in a session of its own. It holds the read end of
a pipe; when the sandbox ends, SIGKILL included, the pipe does, and the watchdog ends what the machines left behind.
Standard library alone: it is run as a file.
"""

import os
import shutil
import signal
import sys
import time
from pathlib import Path

PROC = Path("/proc")
MARK = "GLOWPLUG_MACHINE"
GRACE_S = 0.3
PAUSE_S = 0.02
GIVE_UP_S = 10.0


def marked(mark: str) -> tuple[int, ...]:
    """List the processes whose environment says `GLOWPLUG_MACHINE=<mark>...`."""
    return tuple(pid for pid in _pids() if _carries(pid, mark))


def signal_marked(mark: str, number: signal.Signals) -> int:
    """Signal them once; returns how many there were. Never signals a process that does not carry the mark."""
    hit = 0
    for pid in marked(mark):
        try:
            handle = os.pidfd_open(pid)
        except OSError:
            continue  # it has just ended
        try:
            # The handle pins the process: its number cannot be given to another between look and signal.
            if _carries(pid, mark):
                signal.pidfd_send_signal(handle, number)
                hit += 1
        except OSError:
            pass
        finally:
            os.close(handle)
    return hit


def end_marked(mark: str) -> None:
    """Ask them to end, then make them, until none is left; blocks for up to a few seconds."""
    begun = time.monotonic()
    while signal_marked(mark, signal.SIGTERM) and time.monotonic() - begun < GRACE_S:
        time.sleep(PAUSE_S)  # noqa: TID251  (runs in a thread or in a process of its own, never in a loop)
    while signal_marked(mark, signal.SIGKILL) and time.monotonic() - begun < GIVE_UP_S:
        time.sleep(PAUSE_S)  # noqa: TID251  (as above)


def _pids() -> tuple[int, ...]:
    return tuple(int(entry.name) for entry in PROC.iterdir() if entry.name.isdigit() and int(entry.name) != os.getpid())


def _carries(pid: int, mark: str) -> bool:
    try:
        environment = (PROC / str(pid) / "environ").read_bytes()
    except OSError:
        return False  # ended, or not ours to look at
    return f"\0{MARK}={mark}".encode() in b"\0" + environment


def watch() -> None:
    """Wait for the sandbox's end; then end its machines' processes and remove their folders."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    mark, folder = sys.stdin.readline().strip(), Path(sys.argv[1])
    sys.stdin.read()
    if mark:
        end_marked(mark)
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    watch()
