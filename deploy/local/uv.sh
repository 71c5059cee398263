#!/usr/bin/env bash
# Prints the path of uv: the one on PATH, or a pinned one in a small environment of its own in the cache.
#
#   deploy/local/uv.sh PYTHON CACHE
set -euo pipefail

usage="usage: $(basename "$0") PYTHON CACHE"
python=${1:?$usage}
cache=${2:?$usage}
lock=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/uv.requirements.lock

if command -v uv; then
    exit 0
fi
home=$cache/uv-$(sha256sum "$lock" | cut -c1-12)
if [ ! -x "$home/bin/uv" ]; then
    mkdir -p "$cache"
    work=$(mktemp -d "$cache/.uv-XXXXXX")
    trap 'rm -rf "$work"' EXIT
    "$python" -m venv "$work/env"
    "$work/env/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes --requirement "$lock" >&2 || {
        echo "uv: could not be installed with pip; is the network up? The first set-up needs it." >&2
        exit 1
    }
    # uv is one program without need of its environment, so that it can be moved into place when it is whole.
    mkdir -p "$home/bin"
    mv -f "$work/env/bin/uv" "$home/bin/uv"
fi
echo "$home/bin/uv"
