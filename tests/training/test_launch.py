"""Launchers for real: processes that meet, that fail, that are killed and that hang."""

import os
import sys
import time
from pathlib import Path

import psutil
import pytest

import shoprec
from shoprec.errors import ConfigError, ShoprecError
from shoprec.training import worker
from shoprec.training.collectives import Alone
from shoprec.training.config import TrainingConfig
from shoprec.training.launch import _environment, horovod_command, launch, torch_command
from shoprec.training.storage import Folder
from shoprec.training.supervise import supervise

FUNCTIONS = "tests.training.functions"


def start(tmp_path, function, launcher="horovod", ranks=2, arguments=None, **settings):
    config = TrainingConfig(launcher=launcher, ranks=ranks, device="cpu", **settings)
    told = []
    folder = Folder(str(tmp_path / "task"))
    return launch(f"{FUNCTIONS}:{function}", arguments or {"echo": 1}, config, folder, told.append), told


def family_of(folder):
    """Processes that name the task's folder on their command line."""
    named = []
    for process in psutil.process_iter(["cmdline"]):
        if any(str(folder) in part for part in process.info["cmdline"] or ()) and process.pid != os.getpid():
            named.append(process)
    return named


@pytest.mark.parametrize(("launcher", "ranks"), [("horovod", 2), ("torch", 2), ("in_process", 1)])
def test_ranks_meet(tmp_path, launcher, ranks):
    result, told = start(tmp_path, "meet", launcher, ranks, {"echo": ["ä", None]})
    numbers = range(ranks)
    assert result["size"] == ranks
    assert result["local"] == [0, ranks]
    assert result["value"] == [1.0, 1.0]
    assert result["facts"] == {"from": 0}
    assert result["total"] == [ranks, sum(numbers)]
    table = [float(row in numbers) for row in range(9)]
    table[5] += 2 * ranks
    assert result["table"] == table
    assert result["column"][8] == sum(n + 1 for n in numbers)
    assert result["threads"] == 1
    assert result["echo"] == ["ä", None]
    assert {"kind": "message", "text": "all met"} in told


def test_a_rank_that_refuses_ends_the_job_with_its_own_error(tmp_path):
    with pytest.raises(ConfigError, match="rank 1: rank 1 has no room"):
        start(tmp_path, "refuse")


@pytest.mark.faults
@pytest.mark.parametrize("launcher", ["horovod", "torch"])
@pytest.mark.parametrize("signal", ["SIGKILL", "SIGSTOP"])
def test_a_rank_killed_or_hung_ends_the_job_within_a_minute(tmp_path, launcher, signal):
    began = time.monotonic()
    with pytest.raises(ShoprecError, match="training on 2 ranks failed") as caught:
        start(tmp_path, "stop", launcher, arguments={"signal": signal}, hang_s=10)
    assert time.monotonic() - began < 60
    assert "run it again" in str(caught.value)
    assert family_of(tmp_path) == []


@pytest.mark.faults
def test_ranks_that_say_nothing_are_ended(tmp_path):
    with pytest.raises(ShoprecError, match="nothing was heard for 15 s"):
        start(tmp_path, "be_silent", silence_s=15)
    assert family_of(tmp_path) == []


def test_ranks_find_the_library_where_this_process_did(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "path", [str(tmp_path / "some.whl"), *sys.path])
    path = _environment(TrainingConfig(threads=3))["PYTHONPATH"].split(os.pathsep)
    assert path[0] == str(Path(shoprec.__file__).parents[1])
    assert str(tmp_path / "some.whl") in path
    monkeypatch.setattr(shoprec, "__file__", "/somewhere/shoprec.whl/shoprec/__init__.py")
    assert _environment(TrainingConfig())["PYTHONPATH"].split(os.pathsep)[0] == "/somewhere/shoprec.whl"


def test_command_lines():
    command = horovod_command(TrainingConfig(ranks=8, hosts="a:4,b:4"), "/task")
    assert command[command.index("-H") + 1] == "a:4,b:4"
    assert command[command.index("-np") + 1] == "8"
    assert command[-3:] == ["shoprec.training", "/task", "horovod"]
    assert "--nproc-per-node=8" in torch_command(TrainingConfig(ranks=8), "/task")


def test_the_supervisor_leaves_no_process_behind(tmp_path):
    """A launcher that dies leaves a child that has left its group: the child is ended too."""
    pid = tmp_path / "pid"
    code = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'], start_new_session=True)\n"
        f"open({str(pid)!r}, 'w').write(str(child.pid))\n"
        "time.sleep(2)\n"
        "print('last words')\n"
        "sys.exit(3)\n"
    )
    ended = supervise([sys.executable, "-c", code], dict(os.environ), lambda line: line == "", 60)
    assert (ended.code, ended.tail) == (3, "last words")
    assert not psutil.pid_exists(int(pid.read_text()))


def test_the_supervisor_hears_progress_and_ends_silence():
    code = "import time\nfor _ in range(4):\n print('step', flush=True)\n time.sleep(1)\ntime.sleep(600)"
    heard = []
    ended = supervise([sys.executable, "-c", code], dict(os.environ), lambda line: heard.append(line) or True, 5)
    assert ended.code is None
    assert heard == ["step"] * 4


def test_a_rank_sees_whether_its_driver_lives():
    me = psutil.Process()
    assert worker._alive(me.pid, me.create_time())
    assert not worker._alive(me.pid, me.create_time() - 60)
    assert not worker._alive(2**22 + 1, 0.0)


def test_too_few_gpus_are_refused(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    group = Alone()
    group.local_size = 2
    with pytest.raises(ConfigError, match="2 ranks on a machine with 1 GPUs"):
        worker.choose_device(TrainingConfig(), group)
    assert worker.choose_device(TrainingConfig(device="cpu"), group).type == "cpu"
