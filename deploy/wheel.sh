#!/usr/bin/env bash
# Builds the wheel of a package that is published as source alone. The folder it lies in then is whole or not there.
#
#   deploy/wheel.sh PYTHON LOCK FOLDER
#
# PYTHON  interpreter of an environment with pip and the package's build tools
# LOCK    requirements with hashes: the package alone
# FOLDER  where the wheel is put; the build works beside it, and leaves FOLDER-failed.log when it fails
set -euo pipefail

usage="usage: $(basename "$0") PYTHON LOCK FOLDER"
python=${1:?$usage}
lock=${2:?$usage}
folder=${3:?$usage}
name=$(basename "$folder")

mkdir -p "$(dirname "$folder")"
work=$(mktemp -d "$(dirname "$folder")/.build-XXXXXX")
trap 'rm -rf "$work"' EXIT

if ! TMPDIR="$work" "$python" -m pip wheel --no-deps --no-build-isolation --no-cache-dir --require-hashes \
    --requirement "$lock" --wheel-dir "$work/$name" >"$work/build.log" 2>&1; then
    mv -f "$work/build.log" "$folder-failed.log"
    tail -n 40 "$folder-failed.log" >&2
    echo "wheel: the build of $name failed; its whole log is $folder-failed.log" >&2
    exit 1
fi
# A rename puts the finished folder in place at once, so that a killed build leaves nothing that looks like a wheel.
# Of two builds at the same time the first one stays.
mv -T "$work/$name" "$folder" 2>/dev/null || [ -d "$folder" ] || {
    echo "wheel: pip built no wheel of $lock" >&2
    exit 1
}
rm -f "$folder-failed.log"
