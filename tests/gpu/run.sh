#!/bin/sh
# Run the GPU check from a bundle, in the root of a copy of the repository, without network:
#     sh var/gpu-bundle/run.sh [options of python3 -m tests.gpu.check]
set -eu
bundle=$(cd "$(dirname "$0")" && pwd)
site=${TMPDIR:-/tmp}/gpu-check-site
if [ ! -e "$site/.whole" ]; then
    mkdir -p "$site"
    tar -xJf "$bundle/site.tar.xz" -C "$site"
    touch "$site/.whole"
fi
export GPU_BUNDLE="$bundle" PYTHONPATH="$PWD:$site" PYTHONUNBUFFERED=1 HF_HUB_OFFLINE=1
exec "${PYTHON:-python3}" -m tests.gpu.check "$@"
