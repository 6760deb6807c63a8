"""
What a machine of the laboratory installs: a ComfyUI to clone, and packages that take as long as PyTorch's do.

Real git and real pip. The time is in a package's own build step, which waits until pip has run as long as it took on a
rented machine.
"""

import io
import os
import shlex
import subprocess
import sys
import tarfile
from dataclasses import dataclass, replace
from pathlib import Path

from orchestrator.domain.workflows import Install, Workflow
from tests.bench.cold_start.scale import CLONE_S, COMFYUI_S, GENERATION_S, PAINT_S, REQUIREMENTS_S, TORCH_S, Scale

REPOSITORY = Path(__file__).parents[3]
TAG = "v0"
TORCH, REQUIREMENTS = "lab-torch", "lab-requirements"

MAIN = """
import os, sys
os.environ.update({settings!r})
os.execv({python!r}, [{python!r}, "-m", "orchestrator.sandbox.comfyui", *sys.argv[1:]])
"""
PROJECT = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
"""
BACKEND = '''
import os, time, zipfile

NAME, TAKES = {name!r}, {takes!r}

def pips_age():
    """Seconds since the pip that builds us was started: the first process above us that is not a helper of its own."""
    pid, born = os.getpid(), []
    while pid > 1:
        fields = open(f"/proc/{{pid}}/stat").read().rpartition(")")[2].split()
        if b"pip" in open(f"/proc/{{pid}}/cmdline", "rb").read():
            born.append(int(fields[19]) / os.sysconf("SC_CLK_TCK"))
        pid = int(fields[1])
    return float(open("/proc/uptime").read().split()[0]) - min(born)

def build_wheel(folder, config_settings=None, metadata_directory=None):
    time.sleep(max(0.0, TAKES - pips_age()))
    module, info = NAME.replace("-", "_"), NAME.replace("-", "_") + "-1.dist-info"
    wheel = module + "-1-py3-none-any.whl"
    with zipfile.ZipFile(os.path.join(folder, wheel), "w") as made:
        made.writestr(module + ".py", "")
        made.writestr(info + "/METADATA", "Metadata-Version: 2.1\\nName: " + NAME + "\\nVersion: 1\\n")
        made.writestr(info + "/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        made.writestr(info + "/RECORD", "")
    return wheel
'''


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """Where the source and the packages are."""

    repository: Path
    index: str

    def put_into(self, workflow: Workflow) -> Workflow:
        """The workflow, installed from here."""
        install = Install(repository=str(self.repository), commit=TAG, torch=(TORCH,), index_url=self.index)
        return replace(workflow, runtime=replace(workflow.runtime, install=install))


def make_image(folder: Path, scale: Scale) -> Image:
    index = folder / "index"
    _package(index, TORCH, scale.seconds(CLONE_S + TORCH_S))  # a clone from a folder takes no time: it is in here
    _package(index, REQUIREMENTS, scale.seconds(REQUIREMENTS_S))
    repository = folder / "repository"
    repository.mkdir()
    settings = {
        "PYTHONPATH": str(REPOSITORY),
        "GLOWPLUG_COMFYUI_START_S": str(scale.seconds(COMFYUI_S)),
        "GLOWPLUG_LOAD_MS": str(1000 * scale.seconds(GENERATION_S - PAINT_S)),
        "GLOWPLUG_PAINT_MS": str(1000 * scale.seconds(PAINT_S)),
    }
    (repository / "main.py").write_text(MAIN.format(settings=settings, python=sys.executable))
    (repository / "requirements.txt").write_text(f"--index-url {index.as_uri()}\n{REQUIREMENTS}\n")
    for command in ("init --quiet", "add .", "commit --quiet --message lab", f"tag {TAG}"):
        _git(repository, command)
    return Image(repository=repository, index=index.as_uri())


def _package(index: Path, name: str, takes_s: float) -> None:
    """A source distribution in a folder that pip takes for an index."""
    folder = index / name
    folder.mkdir(parents=True)
    files = {
        "pyproject.toml": PROJECT,
        "backend.py": BACKEND.format(name=name, takes=takes_s),
        "PKG-INFO": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n",
    }
    with tarfile.open(folder / f"{name}-1.tar.gz", "w:gz") as made:
        for path, text in files.items():
            entry = tarfile.TarInfo(f"{name}-1/{path}")
            entry.size = len(text.encode())
            made.addfile(entry, io.BytesIO(text.encode()))
    (folder / "index.html").write_text(f'<a href="{name}-1.tar.gz">{name}-1.tar.gz</a>')


def _git(folder: Path, command: str) -> None:
    identity = ["-c", "user.name=lab", "-c", "user.email=lab@example.org", "-c", "init.defaultBranch=main"]
    subprocess.run(["git", *identity, *shlex.split(command)], cwd=folder, check=True, env=dict(os.environ, LANG="C"))
