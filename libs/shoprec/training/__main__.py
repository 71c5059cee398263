"""``python -m shoprec.training FOLDER KIND``: one rank of a task, for horovodrun (horovod) and torchrun (torch)."""

import os
import sys
import traceback

from shoprec.training.worker import work

if __name__ == "__main__":
    try:
        work(sys.argv[1], sys.argv[2])
    except Exception:  # noqa: BLE001 - whatever it was, the process ends at once
        traceback.print_exc()
        sys.stdout.flush()
        sys.stderr.flush()
        # A group whose other ranks hang must not keep this one in its clean-up.
        os._exit(1)
