#!/usr/bin/env bash
# Sends one job, or the whole pipeline, to a Spark cluster. The project travels as its wheel: the cluster's Python needs
# the packages that pyproject.toml names under `dependencies` and `cluster`, but not the project.
#
#   deploy/spark_submit.sh [SPARK-SUBMIT OPTIONS] -- JOB [JOB'S ARGUMENTS]
#   deploy/spark_submit.sh --master spark://host:7077 --executor-memory 8g -- pipeline --as-of 2017-12-01 --env prod
#
# SHOPREC_TABLES, SHOPREC_FILES  where the lake and the files are (conf/env/dev.yml, conf/env/prod.yml)
# SHOPREC_WHEEL   the wheel to send (default: built from this checkout)
# SHOPREC_JARS    Delta's two jars, comma-separated, where the cluster does not have them (deploy/local/jars.list)
# SPARK_HOME      the Spark whose spark-submit is used (default: the one on PATH)
# PYSPARK_PYTHON  absolute path of the Python 3.11 on every machine (default: python3 of PATH, made absolute)
set -euo pipefail

usage="usage: $(basename "$0") [SPARK-SUBMIT OPTIONS] -- JOB [JOB'S ARGUMENTS]"
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
fail() {
    echo "spark_submit: $*" >&2
    exit 2
}

options=()
while [ $# -gt 0 ] && [ "$1" != -- ]; do
    options+=("$1")
    shift
done
[ $# -ge 2 ] || fail "$usage"
job=$2
shift 2
[ -f "$root/jobs/$job.py" ] || fail "there is no job '$job'; jobs: $(cd "$root/jobs" && echo [a-z]*.py | sed 's/\.py//g')"

export PYSPARK_PYTHON=${PYSPARK_PYTHON:-$(command -v python3)}
export PYSPARK_DRIVER_PYTHON=${PYSPARK_DRIVER_PYTHON:-$PYSPARK_PYTHON}
submit=${SPARK_HOME:+$SPARK_HOME/bin/}spark-submit
command -v "$submit" >/dev/null || fail "there is no $submit: set SPARK_HOME, or put Spark's bin/ on PATH"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
wheel=${SHOPREC_WHEEL:-}
if [ -z "$wheel" ]; then
    (cd "$root" && "$PYSPARK_PYTHON" -m build --wheel --no-isolation --outdir "$work" >&2) ||
        fail "the wheel could not be built (it needs the packages build and hatchling): set SHOPREC_WHEEL to a built one"
    wheel=$(echo "$work"/shoprec-*.whl)
fi
[ -f "$wheel" ] || fail "there is no wheel $wheel"

# Spark puts .zip files on the path of every Python process, but not .whl files, which are the same thing.
cp "$wheel" "$work/shoprec.zip"

code=0
"$submit" \
    --name "shoprec $job" \
    --py-files "$work/shoprec.zip" \
    ${SHOPREC_JARS:+--jars "$SHOPREC_JARS"} \
    --conf spark.sql.extensions=io.delta.sql.DeltaSparkSessionExtension \
    --conf spark.sql.catalog.spark_catalog=org.apache.spark.sql.delta.catalog.DeltaCatalog \
    ${SHOPREC_FILES:+--conf "spark.checkpoint.dir=$SHOPREC_FILES/checkpoints"} \
    "${options[@]}" \
    "$root/jobs/$job.py" "$@" || code=$?
exit "$code"
