"""Starts the ranks of a training, by whichever launcher is set, and brings back rank 0's result."""

import json
import os
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

import shoprec
from shoprec import errors
from shoprec.errors import ShoprecError
from shoprec.training.config import TrainingConfig
from shoprec.training.reports import Report, heard
from shoprec.training.storage import Folder
from shoprec.training.supervise import Ended, supervise


def launch(function: str, arguments: dict[str, Any], config: TrainingConfig, folder: Folder, report: Report) -> dict:
    """Run the training function ``module:name`` on ``config.ranks`` ranks.

    :param arguments: JSON-able; handed to the function on every rank
    :param folder: for the task, its result and errors; on several machines, a place that all of them see
    :returns: what the function returned on rank 0
    :raises ShoprecError: a rank failed, was killed or stopped; of the rank's own class where that is one of ours
    """
    if config.launcher == "in_process":
        from shoprec.training.worker import find, run_here  # noqa: PLC0415 - loads torch, which a driver does without

        return run_here(find(function), arguments, config, report)
    for old in ("result.json", "errors"):
        folder.delete(old)
    task = {
        "function": function,
        "arguments": arguments,
        "config": {name: getattr(config, name) for name in TrainingConfig.model_fields},
        "driver": {"host": socket.gethostname(), "pid": os.getpid(), "created": psutil.Process().create_time()},
    }
    folder.write("task.json", json.dumps(task).encode())
    if config.launcher in ("horovod", "torch"):
        command = horovod_command if config.launcher == "horovod" else torch_command
        ended = supervise(command(config, folder.uri), _environment(config), _listener(report), config.silence_s)
        if ended.code != 0:
            raise _failure(folder, config, ended)
    else:
        _on_spark(config, folder)
    if not folder.exists("result.json"):
        raise _failure(folder, config, Ended(0, "the launcher ended without a result"))
    return json.loads(folder.read("result.json"))


def horovod_command(config: TrainingConfig, uri: str) -> list[str]:
    """The command line that starts the ranks with Horovod: `horovodrun`, without its cache in the home folder."""
    hosts = config.hosts or f"localhost:{config.ranks}"
    start = ["-m", "horovod.runner.launch", "-np", str(config.ranks), "-H", hosts, "--gloo", "--disable-cache"]
    return [sys.executable, *start, sys.executable, "-m", "shoprec.training", uri, "horovod"]


def torch_command(config: TrainingConfig, uri: str) -> list[str]:
    """The command line that starts the ranks with torch.distributed on this machine: `torchrun`."""
    start = ["-m", "torch.distributed.run", "--standalone", "--max-restarts=0", f"--nproc-per-node={config.ranks}"]
    return [sys.executable, *start, "-m", "shoprec.training", uri, "torch"]


def _environment(config: TrainingConfig) -> dict[str, str]:
    # The ranks find the library where this process found it, be that a folder, a wheel or a zip on its path.
    own = str(Path(shoprec.__file__).parents[1])
    path = [own, *(str(Path(entry).absolute()) for entry in sys.path)]
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(dict.fromkeys(path)),
        "OMP_NUM_THREADS": str(config.threads),
        "HOROVOD_GLOO_TIMEOUT_SECONDS": str(config.hang_s),
    }


def _listener(report: Report) -> Callable[[str], bool]:
    def listen(line: str) -> bool:
        told = heard(line)
        if told is not None:
            report(told)
        return told is not None

    return listen


def _on_spark(config: TrainingConfig, folder: Folder) -> None:
    from shoprec.training.worker import work  # noqa: PLC0415 - loads torch, which other launchers' drivers do without

    environment = {"HOROVOD_GLOO_TIMEOUT_SECONDS": str(config.hang_s), "OMP_NUM_THREADS": str(config.threads)}
    try:
        if config.launcher == "horovod_spark":
            from shoprec.training.horovod import run_on_spark  # noqa: PLC0415 - where Horovod is not, others work

            run_on_spark(work, (folder.uri, "horovod"), config.ranks, environment)
        else:
            from pyspark.ml.torch.distributor import TorchDistributor  # noqa: PLC0415 - ranks import this module too

            gpu = config.device == "cuda"
            TorchDistributor(num_processes=config.ranks, local_mode=False, use_gpu=gpu).run(work, folder.uri, "torch")
    except Exception as error:
        raise _failure(folder, config, Ended(1, str(error))) from error


def _failure(folder: Folder, config: TrainingConfig, ended: Ended) -> ShoprecError:
    """The error that says what became of the ranks."""
    told = [json.loads(folder.read(f"errors/{name}")) for name in folder.files("errors") if name.endswith(".json")]
    for one in told:
        cause = getattr(errors, one["type"], None)
        if isinstance(cause, type) and issubclass(cause, ShoprecError):
            return cause(f"rank {one['rank']}: {one['message']}")
    spoke = {one["rank"] for one in told}
    silent = sorted(set(range(config.ranks)) - spoke)
    parts = [f"training on {config.ranks} ranks failed"]
    if ended.code is None:
        parts.append(f"nothing was heard for {config.silence_s} s, so it was ended (silence_s)")
    if silent and ended.code is not None:
        parts.append(f"ranks {silent} ended or stopped without a word: killed, out of memory, or hung")
    parts += [f"rank {one['rank']}: {one['type']}: {one['message'].partition(chr(10))[0]}" for one in told[:3]]
    if ended.tail:
        parts.append(f"last lines:\n{ended.tail}")
    whole = f"; all that ranks said lies in {folder.uri}/errors until then" if told else ""
    return ShoprecError("; ".join(parts) + f"\nrun it again: it goes on from its last checkpoint{whole}")
