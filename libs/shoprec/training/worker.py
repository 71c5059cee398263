"""One rank of a training: what a launcher starts, on this machine or elsewhere."""

import importlib
import json
import os
import socket
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import psutil
import torch

from shoprec.errors import ConfigError
from shoprec.training.collectives import Alone, Collectives
from shoprec.training.config import TrainingConfig
from shoprec.training.reports import Report, printed
from shoprec.training.storage import Folder

#: Seconds between two looks at whether the driver still lives.
WATCH_S = 1.0


@dataclass(frozen=True)
class Rank:
    """What a training function is given: its group, its device, and where rank 0 reports to."""

    collectives: Collectives
    device: torch.device
    report: Report


_ALONE = threading.Lock()

#: A training function: on rank 0 what it returns (JSON-able) is the training's result.
Function = Callable[[Rank, dict[str, Any]], dict[str, Any] | None]


def find(function: str) -> Function:
    """The training function ``module:name``."""
    module, _, name = function.partition(":")
    return getattr(importlib.import_module(module), name)


def run_here(function: Function, arguments: dict[str, Any], config: TrainingConfig, report: Report) -> dict[str, Any]:
    """Train on one rank in this process, whose number of threads is put back afterwards; one training at a time."""
    # Threads and the generator of random numbers are the process's.
    with _ALONE:
        threads = torch.get_num_threads()
        torch.set_num_threads(config.threads)
        try:
            alone = Alone()
            return function(Rank(alone, choose_device(config, alone), report), arguments) or {}
        finally:
            torch.set_num_threads(threads)


def work(uri: str, kind: str) -> None:
    """Run one rank of the task in the folder ``uri``; ``kind`` of collectives: horovod or torch.

    Rank 0 leaves ``result.json`` there. A rank that fails leaves ``errors/<rank>.json`` and raises.
    """
    folder = Folder(uri)
    task = json.loads(folder.read("task.json"))
    config = TrainingConfig(**task["config"])
    watch_driver(**task["driver"])
    torch.set_num_threads(config.threads)
    collectives = None
    try:
        collectives = join(kind, config)
        report = printed if collectives.rank == 0 else _ignore
        report({"kind": "start", "ranks": collectives.size})
        rank = Rank(collectives, choose_device(config, collectives), report)
        result = find(task["function"])(rank, task["arguments"])
        if collectives.rank == 0:
            folder.write("result.json", json.dumps(result or {}).encode())
        collectives.barrier()
        collectives.close()
    except Exception as error:
        number = collectives.rank if collectives else f"unknown-{os.getpid()}"
        told = {"rank": number, "type": type(error).__name__, "message": str(error), "trace": traceback.format_exc()}
        folder.write(f"errors/{number}.json", json.dumps(told).encode())
        raise


def join(kind: str, config: TrainingConfig) -> Collectives:
    """Join the other ranks. Each library is imported only where it is used."""
    if kind == "horovod":
        from shoprec.training.horovod import HorovodCollectives  # noqa: PLC0415

        return HorovodCollectives()
    from shoprec.training.torch_distributed import TorchCollectives  # noqa: PLC0415

    on_gpu = config.device == "cuda" or (config.device == "auto" and torch.cuda.is_available())
    return TorchCollectives(torch.device("cuda" if on_gpu else "cpu"), config.hang_s, config.silence_s)


def choose_device(config: TrainingConfig, collectives: Collectives) -> torch.device:
    """The rank's own GPU, or the CPU.

    :raises ConfigError: GPUs are asked for and there are too few for the ranks of this machine
    """
    if config.device == "cpu" or (config.device == "auto" and not torch.cuda.is_available()):
        return torch.device("cpu")
    if torch.cuda.device_count() < collectives.local_size:
        raise ConfigError(
            f"{collectives.local_size} ranks on a machine with {torch.cuda.device_count()} GPUs: set ranks or device"
        )
    torch.cuda.set_device(collectives.local_rank)
    return torch.device("cuda", collectives.local_rank)


def watch_driver(host: str, pid: int, created: float) -> None:
    """End this process when the driver that launched it on this machine is gone: nobody waits for its result."""
    if host != socket.gethostname():
        return

    def watch() -> None:
        while _alive(pid, created):
            time.sleep(WATCH_S)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _alive(pid: int, created: float) -> bool:
    try:
        process = psutil.Process(pid)
        return abs(process.create_time() - created) < 1 and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _ignore(facts: dict[str, Any]) -> None:
    """Ranks other than 0 have nothing to report."""
