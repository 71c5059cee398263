#!/usr/bin/env bash
# Builds Horovod's wheel once for a Python environment, keeps it in a cache, and prints the wheel's path.
#
#   deploy/horovod/build.sh PYTHON CACHE
#
# PYTHON  interpreter of an environment that holds torch and the build tools (the extra `horovod` of pyproject.toml)
# CACHE   folder for finished wheels, each under a key of all that it was built from
#
# Without further settings it builds for CPU and Gloo. The GPU image sets HOROVOD_GPU_OPERATIONS=NCCL, HOROVOD_NCCL_HOME,
# HOROVOD_CUDA_HOME and the like: every build setting of Horovod in the environment reaches the build and the key.
set -euo pipefail

usage="usage: $(basename "$0") PYTHON CACHE"
python=${1:?$usage}
cache=${2:?$usage}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
lock=$here/requirements.lock

export HOROVOD_WITH_PYTORCH=${HOROVOD_WITH_PYTORCH:-1}
export HOROVOD_WITHOUT_TENSORFLOW=${HOROVOD_WITHOUT_TENSORFLOW:-1}
export HOROVOD_WITHOUT_MXNET=${HOROVOD_WITHOUT_MXNET:-1}
export HOROVOD_WITHOUT_MPI=${HOROVOD_WITHOUT_MPI:-1}
export HOROVOD_WITH_GLOO=${HOROVOD_WITH_GLOO:-1}

"$python" - cffi cloudpickle packaging pip psutil setuptools torch wheel yaml <<'PY' || {
import sys
from importlib.util import find_spec

sys.exit(not all(map(find_spec, sys.argv[1:])))
PY
    echo "horovod: $python lacks torch or a build tool; install requirements.lock into it first" >&2
    exit 1
}

# What a wheel depends on: versions of torch, Python and the platform; the source and the compiler wrapper; the settings.
versions=$("$python" - <<'PY'
import platform
import sys
from importlib.metadata import version

python = f"cp{sys.version_info.major}{sys.version_info.minor}"
print("torch", version("torch"), python, platform.machine(), *platform.libc_ver(), sep="-")
PY
)
settings=$(env | grep -E '^HOROVOD_(WITH|WITHOUT|GPU|CPU|NCCL|CUDA|ROCM|BUILD)' | LC_ALL=C sort)
recipe=$({ cat "$lock" "$here/c++"; echo "$settings"; } | sha256sum | cut -c1-12)
key=$(sed -n 's/^\(horovod\)==\([^ ;]*\).*/\1-\2/p' "$lock")-$versions-$recipe

find_wheel() { find "$cache/$key" -maxdepth 1 -name 'horovod-*.whl' -print -quit 2>/dev/null || true; }

wheel=$(find_wheel)
if [ -n "$wheel" ]; then
    echo "$wheel"
    exit 0
fi

echo "horovod: building $key: about 5 minutes on 2 cores, once for this machine" >&2
# cmake of the environment comes first: Horovod's CMake files are refused by CMake 4.
PATH="$(dirname "$python"):$PATH" CXX="$here/c++" MAKEFLAGS="${MAKEFLAGS:--j$(nproc)}" \
    "$here/../wheel.sh" "$python" "$lock" "$cache/$key"
wheel=$(find_wheel)
[ -n "$wheel" ] || { echo "horovod: no wheel in $cache/$key after the build" >&2; exit 1; }
echo "$wheel"
