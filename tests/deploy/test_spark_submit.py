"""deploy/spark_submit.sh: the command that it puts together. tests/test_ways_to_run.py runs it on a cluster."""

import os
import subprocess
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "deploy/spark_submit.sh"


@pytest.fixture
def submit(tmp_path):
    """The script, with a spark-submit that prints its arguments and the names in the zip that it is given."""
    fake = tmp_path / "bin/spark-submit"
    fake.parent.mkdir()
    fake.write_text(
        '#!/usr/bin/env bash\nprintf "%s\\n" "$@"\nwhile [ "$1" != --py-files ]; do shift; done\n'
        'python3 -m zipfile -l "$2" >&2\nexit "${EXIT:-0}"\n'
    )
    fake.chmod(0o755)
    wheel = tmp_path / "shoprec-1-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as file:
        file.writestr("shoprec/marker.py", "")

    def run(*arguments: str, **told: str) -> subprocess.CompletedProcess:
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("SHOPREC_", "SPARK_"))}
        path = f"{fake.parent}:{os.environ['PATH']}"
        environment = clean | {"PATH": path, "SHOPREC_WHEEL": str(wheel)} | told
        return subprocess.run([SCRIPT, *arguments], env=environment, capture_output=True, text=True, check=False)

    return run


def test_the_wheel_travels_as_a_zip_and_everything_else_is_passed_on(submit):
    ended = submit("--master", "spark://h:7077", "--", "samples", "--as-of", "2017-12-01", "--set", "samples.x=a b")
    words = ended.stdout.splitlines()
    assert ended.returncode == 0
    assert words[words.index("--py-files") + 1].endswith(".zip")
    assert "shoprec/marker.py" in ended.stderr
    script = words.index(str(ROOT / "jobs/samples.py"))
    assert words[script - 2 : script] == ["--master", "spark://h:7077"]
    assert words[script + 1 :] == ["--as-of", "2017-12-01", "--set", "samples.x=a b"]
    assert "spark.sql.extensions=io.delta.sql.DeltaSparkSessionExtension" in words
    assert "--jars" not in words


def test_jars_and_the_place_of_checkpoints_are_told_when_given(submit):
    words = submit("--", "samples", SHOPREC_JARS="a.jar,b.jar", SHOPREC_FILES="s3a://b/files").stdout.splitlines()
    assert words[words.index("--jars") + 1] == "a.jar,b.jar"
    assert "spark.checkpoint.dir=s3a://b/files/checkpoints" in words


def test_the_exit_code_of_the_job_is_that_of_the_script(submit):
    assert submit("--", "samples", EXIT="3").returncode == 3


@pytest.mark.parametrize(
    ("arguments", "told", "message"),
    [
        (("--master", "x"), {}, "usage"),
        (("--", "sampels"), {}, "there is no job 'sampels'"),
        (("--", "samples"), {"SHOPREC_WHEEL": "/nowhere.whl"}, "there is no wheel /nowhere.whl"),
        (("--", "samples"), {"SPARK_HOME": "/nowhere"}, "set SPARK_HOME"),
    ],
)
def test_what_is_missing_is_named(submit, arguments, told, message):
    ended = submit(*arguments, **told)
    assert ended.returncode == 2
    assert message in ended.stderr
