"""What only Unix has, or an extra brings, is not needed to import anything, to say what this machine is, or to lock."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
BARE = """
import importlib, os, pkgutil, sys
from pathlib import Path

# They may take from this system what they find.
import filelock, matplotlib.pyplot, pandas, psutil, scipy.signal, skimage.measure, torch, tqdm

for name in ("fcntl", "resource", "snakemake", "pygments", "cv2"):
    sys.modules[name] = None
for name in ("sched_getaffinity", "sysconf", "getuid", "geteuid", "fchmod"):
    delattr(os, name)
import scatterheal

modules = [module.name for module in pkgutil.walk_packages(scatterheal.__path__, "scatterheal.")]
assert len(modules) > 50
for name in modules:
    importlib.import_module(name)

from scatterheal.app.doctor import installation
from scatterheal.compute import locks

assert not [finding for finding in installation() if finding.problem]
lock = Path(sys.argv[1], "lock")
assert locks.hold(lock) and locks.hold(lock)
locks.remove(lock)
assert not lock.exists()
"""


def test_nothing_needs_what_only_unix_has_or_an_extra_brings(tmp_path):
    command = [sys.executable, "-c", BARE, tmp_path]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
