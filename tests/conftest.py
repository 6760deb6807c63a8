"""What all tests share: tools that may be missing, and no way out of this computer."""

import os
import shutil
import socket
from pathlib import Path
from typing import Any

import pytest

TOOLS = {
    "needs_sshd": ("OpenSSH's sshd", bool(shutil.which("sshd")) or Path("/usr/sbin/sshd").exists()),
    "needs_chromium": ("Chromium", bool(shutil.which("chromium"))),
    "needs_aria2": ("aria2", bool(shutil.which("aria2c"))),
}
WAITING = ("system", "browser")
"""Folders whose tests mostly wait for real processes: begun first, so that the others fill the time."""

LEFT_OUT = pytest.StashKey[dict[str, int]]()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out, by name, what needs a tool that is not here; in CI nothing may be left out."""
    missing = {marker: name for marker, (name, is_there) in TOOLS.items() if not is_there}
    if missing and os.environ.get("CI") == "true":
        raise pytest.UsageError(f"CI runs everything; `make system` installs {', '.join(sorted(missing.values()))}")
    left_out: dict[str, int] = {}
    kept: list[pytest.Item] = []
    dropped: list[pytest.Item] = []
    for item in items:
        lacks = [name for marker, name in missing.items() if item.get_closest_marker(marker)]
        if item.get_closest_marker("live") and not os.environ.get("GLOWPLUG_LIVE"):
            lacks.append("a vendor's key")
        (dropped if lacks else kept).append(item)
        for name in lacks:
            left_out[name] = left_out.get(name, 0) + 1
    config.stash[LEFT_OUT] = left_out
    if dropped:
        config.hook.pytest_deselected(items=dropped)
    items[:] = sorted(kept, key=lambda item: item.path.parent.name not in WAITING)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    for name, count in sorted(config.stash.get(LEFT_OUT, {}).items()):
        how = "see tests/live" if name.startswith("a vendor") else "`make system` adds it"
        terminalreporter.write_line(f"left out: {count} tests that need {name}; {how}")


@pytest.fixture(autouse=True)
def _only_loopback(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests talk to this computer alone, but for those that say so: connecting anywhere else is an error at once."""
    if request.node.get_closest_marker("live"):
        return
    connect = socket.socket.connect

    def checked(self: socket.socket, address: Any) -> None:
        if self.family in {socket.AF_INET, socket.AF_INET6} and address[0] not in {"127.0.0.1", "::1", "localhost"}:
            raise OSError(f"a test tried to reach {address[0]}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", checked)
