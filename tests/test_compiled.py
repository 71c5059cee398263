"""Kernels are kept where they can be, and made anew when anything that they are made of has changed."""

import os
import subprocess
import sys

USED = "def more(number):\n    return number + {}\n"
KERNEL = """
from shoprec.compiled import inlined, kernel
from used import more

_more = inlined(fastmath=False)(more)

@kernel(fastmath=False, uses=(more,))
def count(number):
    return _more(number)
"""


def counted(folder):
    """What the kernel gives, and how often what was kept was found, in a process of its own."""
    program = "import kept; print(kept.count(40), sum(kept.count.stats.cache_hits.values()))"
    environment = {**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    found = subprocess.run([sys.executable, "-c", program], env=environment, check=True, capture_output=True, text=True)
    return found.stdout.split()


def test_a_change_in_a_file_that_a_kernel_uses_is_seen(tmp_path):
    (tmp_path / "kept.py").write_text(KERNEL)
    (tmp_path / "used.py").write_text(USED.format(1))
    assert [counted(tmp_path), counted(tmp_path)] == [["41", "0"], ["41", "1"]]
    (tmp_path / "used.py").write_text(USED.format(2))
    assert counted(tmp_path) == ["42", "0"]
