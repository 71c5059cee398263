#!/usr/bin/env bash
# Puts the jars of jars.list into an environment's pyspark/jars: every session started from that environment then has
# them, however it is started, with no network and no setting.
#
#   deploy/local/jars.sh PYTHON CACHE
#
# PYTHON  interpreter of an environment with pyspark
# CACHE   folder where checked jars are kept
#
# A jar that is not in CACHE is resolved by Ivy, which comes with Spark; SHOPREC_IVY_SETTINGS names an Ivy settings file
# where jars come from a mirror.
set -euo pipefail

usage="usage: $(basename "$0") PYTHON CACHE"
python=${1:?$usage}
cache=${2:?$usage}
list=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/jars.list
jars=$("$python" -c 'import importlib.util as u; print(u.find_spec("pyspark").submodule_search_locations[0])')/jars
java=${JAVA_HOME:+$JAVA_HOME/bin/}java
mkdir -p "$cache"
work=$(mktemp -d "$cache/.resolve-XXXXXX")
trap 'rm -rf "$work"' EXIT

digest() { sha256sum "$1" | cut -d' ' -f1; }

# A copy is made beside its place and renamed: a session that starts meanwhile never reads half a jar.
place() {
    cp "$1" "$2.part"
    chmod 644 "$2.part"
    mv -f "$2.part" "$2"
}

resolve() { # group artifact version sha256 file
    local ivy=("$jars"/ivy-*.jar)
    echo "jars: resolving $2 $3" >&2
    if ! "$java" -jar "${ivy[0]}" ${SHOPREC_IVY_SETTINGS:+-settings "$SHOPREC_IVY_SETTINGS"} -cache "$work/ivy" \
        -dependency "$1" "$2" "$3" -notransitive -types jar bundle \
        -retrieve "$work/[artifact]-[revision].[ext]" >"$work/log" 2>&1; then
        tail -n 30 "$work/log" >&2
        echo "jars: could not resolve $1:$2:$3; is the network up? The first set-up needs it." >&2
        return 1
    fi
    if [ "$(digest "$work/$5")" != "$4" ]; then
        echo "jars: $5 has SHA-256 $(digest "$work/$5"), expected $4 (deploy/local/jars.list); it is not used" >&2
        return 1
    fi
    place "$work/$5" "$cache/$5"
}

wanted=" "
while read -r sha256 group artifact version; do
    case $sha256 in '' | '#'*) continue ;; esac
    file=$artifact-$version.jar
    wanted+="$file "
    if [ ! -f "$cache/$file" ] || [ "$(digest "$cache/$file")" != "$sha256" ]; then
        resolve "$group" "$artifact" "$version" "$sha256" "$file"
    fi
    if [ ! -f "$jars/$file" ] || [ "$(digest "$jars/$file")" != "$sha256" ]; then
        place "$cache/$file" "$jars/$file"
    fi
done <"$list"

# Two versions of Delta on one class path break each other: what an older list put there goes.
for jar in "$jars"/delta-*.jar; do
    case $wanted in *" $(basename "$jar") "*) ;; *) rm -f "$jar" ;; esac
done
