"""The programs that are already on a machine when it boots: what a container image would bring."""

import shlex
import sys
from collections.abc import Mapping
from pathlib import Path

PACKAGE_PARENT = Path(__file__).resolve().parents[2]
COMFYUI_MODULE = "orchestrator.sandbox.comfyui"

_NVIDIA_SMI = """#!/bin/sh
# Answers the two questions that people and programs ask: the plain table, and --query-gpu as CSV.
name={name}; memory={memory}; driver={driver}; cuda={cuda}
query= header=1 unit=" MiB"
for argument; do case $argument in
  --query-gpu=*) query=${{argument#*=}} ;;
  --format=*) case $argument in *noheader*) header= ;; esac; case $argument in *nounits*) unit= ;; esac ;;
  -L|--list-gpus) echo "GPU 0: $name (UUID: GPU-00000000-0000-0000-0000-000000000000)"; exit 0 ;;
esac; done
if [ -z "$query" ]; then
  echo "NVIDIA-SMI $driver    Driver Version: $driver    CUDA Version: $cuda"
  echo "| 0  $name                |      0MiB / ${{memory}}MiB |      0%      Default |"
  exit 0
fi
[ -n "$header" ] && echo "$query"
line=
for field in $(echo "$query" | tr ',' ' '); do
  case $field in
    name|gpu_name) value="$name" ;;
    memory.total|memory.free) value="$memory$unit" ;;
    memory.used) value="0$unit" ;;
    driver_version) value=$driver ;;
    count) value=1 ;;
    index|utilization.gpu) value=0 ;;
    uuid|gpu_uuid) value=GPU-00000000-0000-0000-0000-000000000000 ;;
    *) echo "Field \\"$field\\" is not a valid field to query." >&2; exit 2 ;;
  esac
  line="${{line:+$line, }}$value"
done
echo "$line"
"""


def install_programs(folder: Path, *, gpu: str, memory_mb: int, driver: str, cuda: float) -> None:
    """Write `nvidia-smi` and `python3`; *gpu* is what really sits in the machine, whatever was offered."""
    folder.mkdir(parents=True, exist_ok=True)
    values = {"name": gpu, "memory": memory_mb, "driver": driver, "cuda": cuda}
    quoted = {key: shlex.quote(str(value)) for key, value in values.items()}
    _write(folder / "nvidia-smi", _NVIDIA_SMI.format(**quoted))
    for name in ("python3", "python"):
        _write(folder / name, f'#!/bin/sh\nexec {shlex.quote(sys.executable)} "$@"\n')


def install_comfyui(folder: Path, *, settings: Mapping[str, str]) -> None:
    """
    Write `comfyui`, which starts the painter.

    Our package is importable in this program alone: a machine's other processes must not lean on it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    known = {**settings, "PYTHONPATH": str(PACKAGE_PARENT)}
    exports = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in known.items())
    start = f'exec {shlex.quote(sys.executable)} -m {COMFYUI_MODULE} "$@"\n'
    _write(folder / "comfyui", f"#!/bin/sh\n{exports}{start}")


def _write(file: Path, text: str) -> None:
    file.write_text(text)
    file.chmod(0o755)
