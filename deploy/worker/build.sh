#!/bin/sh
# Build the worker image, the same bits from the same commit: build.sh NAME:TAG [push]. Needs docker with buildx.
set -eu
name=${1:-} push=${2:-}
[ -n "$name" ] || { echo "say what it is to be called: make worker-image IMAGE=registry.example/you/worker:1" >&2; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
docker buildx version >/dev/null 2>&1 || { echo "building needs docker with buildx (Debian: docker-buildx)." >&2; exit 1; }

# Of the last change to this folder, and the same for everybody who builds that commit.
SOURCE_DATE_EPOCH=$(git -C "$here" log -1 --format=%ct -- .)
export SOURCE_DATE_EPOCH

# A builder of its own: Docker's built-in one cannot rewrite times, and older BuildKits rewrote the base image's layers
# as well (moby/buildkit#4805), which hosts then would not recognise. Cached layers keep their times (#4748): no cache.
builder=glowplug-worker
docker buildx inspect "$builder" >/dev/null 2>&1 ||
    docker buildx create --name "$builder" --driver docker-container --driver-opt image=moby/buildkit:v0.20.0 >/dev/null

if [ "$push" = push ]; then kind=type=image,push=true; else kind=type=docker; fi
told=$(mktemp)
trap 'rm -f "$told"' EXIT
docker buildx build --builder "$builder" --platform linux/amd64 --pull --no-cache --provenance=false --sbom=false \
    --metadata-file "$told" --output "$kind,name=$name,rewrite-timestamp=true" "$here"

digest=$(sed -n 's/.*"containerimage.digest": *"\(sha256:[0-9a-f]*\)".*/\1/p' "$told" | head -n 1)
if [ "$push" = push ]; then
    echo "in the manifests: image = \"$name@$digest\""
else
    echo "built $name ($digest); make worker-image IMAGE=$name PUSH=1 pushes it"
fi
