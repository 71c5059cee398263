#!/usr/bin/env bash
# Makes this checkout ready to run: system tools checked, .venv from the lock files, Horovod, Delta's jars, the project
# itself (editable), all of it compiled. A second call finds its stamp, takes about a second and needs no network. To be run
# by the user who runs jobs: what one user compiled another may not be let use.
#
#   deploy/local/setup.sh
#
# SHOPREC_PYTHON  the Python 3.11 to use (default: python3.11, then python3, on PATH)
# SHOPREC_APT=no  never install Debian packages, only name them
# XDG_CACHE_HOME  wheels built here, jars and uv are kept in its folder shoprec (default ~/.cache)
set -euo pipefail
trap 'exit 130' INT # whatever the command that it met makes of it

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/shoprec
venv=$root/.venv
python=$venv/bin/python
stamp=$venv/.setup-done
started=$venv/.setup-started
kernels=("$root"/libs/shoprec/{compiled,models/als/kernels,retrieval/kernels,retrieval/ties}.py)
compiled=$root/libs/shoprec/__pycache__/.setup-compiled
# An activated or exported environment must not be taken for the system's Python.
PATH=${PATH//"$venv/bin:"/}
unset PYTHONHOME PYTHONPATH VIRTUAL_ENV
need_gib=8 # an empty cache and .venv take 7.8 GiB at most and 6.9 in the end, most of it torch's libraries

say() { echo "setup: $*" >&2; }
fail() {
    say "$*"
    exit 1
}
java_version() { # the major version of Spark's Java, nothing when there is none
    "${JAVA_HOME:+$JAVA_HOME/bin/}java" -version 2>&1 | sed -n 's/.* version "\([0-9]*\).*/\1/p' || true
}
java_ok() { case $(java_version) in 17 | 21) ;; *) return 1 ;; esac }

find_python() { # prints the first Python 3.11 among the candidates
    local candidate
    for candidate in ${SHOPREC_PYTHON:-python3.11 python3}; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null; then
            command -v "$candidate"
            return
        fi
    done
    return 1
}
can_make_venv() { "$(find_python)" -c 'import ensurepip, venv' 2>/dev/null; }
has_headers() {
    "$(find_python)" -c 'import os, sysconfig as s; assert os.path.exists(s.get_path("include") + "/Python.h")' 2>/dev/null
}
compiles() { # current torch headers need C++20
    echo '#include <concepts>' | "${REAL_CXX:-g++}" -std=gnu++20 -x c++ -fsyntax-only - 2>/dev/null
}

# Fills `missing` (what, in words) and `packages` (the Debian packages that bring it).
look_for_tools() {
    missing=()
    packages=()
    lacks() { missing+=("$1") && packages+=("$2"); }
    find_python >/dev/null || lacks "Python 3.11 (or set SHOPREC_PYTHON)" python3.11
    can_make_venv || lacks "Python 3.11's venv module" python3.11-venv
    has_headers || lacks "Python 3.11's C headers" python3.11-dev
    java_ok || lacks "Java 17 (found: $(java_version | grep . || echo none))" openjdk-17-jre-headless
    command -v make >/dev/null || lacks "make" make
    compiles || lacks "a C++20 compiler (g++ 10 or newer)" g++
    [ ${#missing[@]} -eq 0 ]
}

apt_install() { # returns non-zero where it may not, or where Debian does not have them
    local as_root=()
    [ "${SHOPREC_APT:-yes}" != no ] && command -v apt-get >/dev/null || return 1
    if [ "$(id -u)" -ne 0 ]; then
        sudo -n true 2>/dev/null || return 1
        as_root=(sudo -n)
    fi
    say "installing with apt: $*"
    "${as_root[@]}" apt-get update -qq >&2 &&
        "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >&2
}

check_tools() {
    look_for_tools && return
    apt_install "${packages[@]}" && look_for_tools && return
    for what in "${missing[@]}"; do say "missing: $what"; done
    fail "on Debian or Ubuntu: apt-get install ${packages[*]}; elsewhere install the same from your system's packages." \
        "Java is looked for in JAVA_HOME (${JAVA_HOME:-not set}), then on PATH."
}

check_disk() {
    local folder free
    for folder in "$root" "$cache"; do
        mkdir -p "$folder"
        free=$(df --output=avail -BG "$folder" | tail -n 1 | tr -dc '0-9')
        # What uv has in its cache already is not needed again, so that this may do.
        [ "$free" -ge "$need_gib" ] ||
            say "$folder has $free GiB free, the first set-up may need $need_gib; should it fail, free some"
    done
}

# All that the environment is made from. The checkout's path is in it because an environment cannot be moved.
fingerprint() {
    {
        echo "$root"
        cat "$root/pyproject.toml" "$root/requirements.lock" "$here"/* \
            "$root"/deploy/{wheel.sh,horovod/{build.sh,c++,requirements.lock}}
    } | sha256sum | cut -d' ' -f1
}
is_ready() { [ "$(cat "$stamp" 2>/dev/null)" = "$(fingerprint)" ] && [ ! -e "$started" ] && "$python" -c '' 2>/dev/null; }

surplus() { # packages that the lock no longer names
    comm -23 \
        <("$uv" pip list --quiet --python "$python" --format freeze | sed 's/[= @].*//' | sort) \
        <({ sed -n 's/^\([A-Za-z0-9._-]*\)==.*/\1/p' "$root/requirements.lock" && printf 'horovod\nshoprec\n'; } | sort)
}

# An install that is killed can leave half a package that looks whole, so it is marked while it runs. One that would
# change nothing is not begun: an environment in use is not to be marked, and then cleared, for nothing.
install() {
    if "$uv" pip install --dry-run --python "$python" "$@" 2>&1 | grep -q 'Would make no changes'; then
        return
    fi
    touch "$started"
    "$uv" pip install --quiet --python "$python" "$@" ||
        fail "the packages could not be installed, for the reason above; the first set-up needs the network." \
            "Nothing is lost: run the same command again."
    rm -f "$started"
}

# The lines of requirements.lock for PySpark, or for all else. Every extraction of PySpark's source takes half a GiB, and
# uv makes several and keeps them, so its wheel is built as Horovod's is.
pyspark_lock() { awk '/^[^ #]/ { its = /^pyspark==/ } its' "$root/requirements.lock"; }
other_locks() { awk '/^[^ #]/ { its = /^pyspark==/ } !its' "$root/requirements.lock"; }

build_pyspark() { # prints the wheel's path
    local lock=$1 folder
    folder=$cache/pyspark/pyspark-$(grep -v '^ *#' "$lock" | sha256sum | cut -c1-12)
    [ -d "$folder" ] || "$root/deploy/wheel.sh" "$python" "$lock" "$folder" || return
    # Of the wheels of other versions, half a GiB each, nothing is needed any more.
    find "$cache/pyspark" -mindepth 1 -maxdepth 1 ! -path "$folder" -exec rm -rf {} +
    echo "$folder"/pyspark-*.whl
}

make_environment() {
    local wheel gone
    # Two of NVIDIA's packages may own one file, so that one of them cannot just be removed.
    if [ -e "$started" ] || ! "$python" -c '' 2>/dev/null || surplus | grep '^nvidia-' >/dev/null; then
        "$uv" venv --quiet --clear --python "$(find_python)" "$venv"
    fi
    say "installing the packages of requirements.lock"
    # --no-deps: the lock names all that is wanted; the Makefile says what it leaves out.
    other_locks >"$venv/.others.lock"
    install --no-deps --require-hashes --requirement "$venv/.others.lock"
    gone=$(surplus)
    # shellcheck disable=SC2086  # a list of names
    [ -z "$gone" ] || "$uv" pip uninstall --quiet --python "$python" $gone
    pyspark_lock >"$venv/.pyspark.lock"
    wheel=$(build_pyspark "$venv/.pyspark.lock")
    install --no-deps "$wheel"
    wheel=$("$root/deploy/horovod/build.sh" "$python" "$cache/horovod")
    install --no-deps "$wheel"
    "$here/jars.sh" "$python" "$cache/jars"
    install --no-deps --no-build-isolation --editable "$root"
    say "compiling the packages"
    compile_python "$venv/lib"
}

# uv installs sources alone, and where Python is told to keep no bytecode (PYTHONDONTWRITEBYTECODE, usual in images of
# containers) each process would compile all that it imports: two thirds of what a job's start takes. Workers of a
# compiler that was killed live on, and must not hold the lock.
compile_python() {
    local ended=0
    "$python" -m compileall -qq -j "$(nproc)" -x '/site-packages/.*/tests?/' "$@" 9>&- || ended=$?
    # 1: a package carries a file that is no Python of this version.
    [ "$ended" -le 1 ] || fail "compiling ended with $ended; run the same command again"
}

# The kernels of als take numba 15 s, those of lists 2 s, in every worker that needs them before they are kept. Where the
# checkout cannot be written nothing can be.
compile_own() {
    [ -w "$(dirname "${kernels[0]}")" ] || return 0
    say "compiling the project"
    compile_python "$root/libs" "$root/jobs"
    # A compiler that was killed between two files leaves a list that names what it did not write.
    find "$root/libs" -name '*.nb[ic]' -delete
    mkdir -p "$(dirname "$compiled")" # which is elsewhere where PYTHONPYCACHEPREFIX says so
    if env -u NUMBA_DISABLE_JIT "$python" -c '
from shoprec.models.als.kernels import compile_for_als
from shoprec.retrieval.kernels import compile_for_lists

compile_for_als()
compile_for_lists()' 9>&-; then
        touch "$compiled"
    else
        say "the kernels could not be compiled, for the reason above: each worker will try"
    fi
}

[ "$(uname -s)" = Linux ] || fail "$(uname -s) is not supported: Horovod and the launchers are built for Linux"
stop_if_ready() {
    is_ready || return 0
    java_ok || check_tools
    # What was compiled is older than the kernels after a pull, and gone after `make clean`.
    local file
    for file in "${kernels[@]}"; do
        if [ ! "$compiled" -nt "$file" ]; then
            compile_own
            break
        fi
    done
    exit 0
}
stop_if_ready

export UV_PYTHON_DOWNLOADS=never UV_HTTP_TIMEOUT=${UV_HTTP_TIMEOUT:-300}
mkdir -p "$cache"
exec 9>"$cache/.lock"
# Two set-ups at once, of one checkout or of two, would build the same things.
flock --nonblock 9 || {
    say "waiting for another set-up on this machine"
    flock 9
    stop_if_ready
}
rm -rf "$cache"/.uv-* "$cache"/*/.build-* "$cache"/jars/.resolve-* # what a killed set-up left
check_tools
[ -e "$venv/bin/python" ] || check_disk
uv=$("$here/uv.sh" "$(find_python)" "$cache")
rm -f "$stamp" # killed from here on, it is no longer the environment that the stamp tells of
make_environment
fingerprint >"$stamp.part"
mv -f "$stamp.part" "$stamp"
compile_own
say "done"
