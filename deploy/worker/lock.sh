#!/bin/sh
# Resolve what ComfyUI needs beside PyTorch into requirements.lock, with hashes. Needs uv (pip install uv).
#
# Packages are those of the day after this ComfyUI was released: later ones it was never tried with then. PyTorch and its
# CUDA libraries are the base image's, and left out.
set -eu
cd "$(dirname "$0")"
command -v uv >/dev/null 2>&1 || { echo "lock.sh needs uv (pip install uv)." >&2; exit 1; }
leave_out=""
for name in torch torchvision torchaudio triton nvidia-cublas-cu12 nvidia-cuda-cupti-cu12 nvidia-cuda-nvrtc-cu12 \
    nvidia-cuda-runtime-cu12 nvidia-cudnn-cu12 nvidia-cufft-cu12 nvidia-curand-cu12 nvidia-cusolver-cu12 \
    nvidia-cusparse-cu12 nvidia-nccl-cu12 nvidia-nvjitlink-cu12 nvidia-nvtx-cu12; do
    leave_out="$leave_out --no-emit-package $name"
done
# shellcheck disable=SC2086 # a list of options
uv pip compile --quiet --python-version 3.11 --python-platform x86_64-manylinux_2_28 --only-binary :all: \
    --exclude-newer 2025-10-09 --generate-hashes --no-header --no-annotate --no-emit-index-url --no-emit-find-links \
    $leave_out -c torch.txt ../../tests/data/comfyui/requirements.txt -o requirements.lock
