"""The wheel, installed where there is no checkout: it has all that it reads, and works in an empty folder."""

import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from scatterheal import __version__

ROOT = Path(__file__).parents[1]
READS_ITS_FILES = """
import json
from scatterheal.app.add import SCHEMA
from scatterheal.settings.reading import read_config
print(len(read_config({"preset": "paper"}).grid), read_config({}).fit.network, json.loads(SCHEMA.read_text())["title"])
"""


@pytest.fixture(scope="module")
def ask(tmp_path_factory):
    """Run a command of an environment that has the wheel and what it needs, in an empty folder, and take its output."""
    folder = tmp_path_factory.mktemp("wheel")
    source, environment, empty = folder / "source", folder / "environment", folder / "empty"
    empty.mkdir()
    # Building leaves files behind.
    shutil.copytree(ROOT / "scatterheal", source / "scatterheal", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    venv.create(environment, symlinks=os.name != "nt")
    bin_folder = environment / ("Scripts" if os.name == "nt" else "bin")
    python = bin_folder / "python"

    def run(*command):
        # Without PYTHONPATH: the checkout must not stand in for the wheel.
        variables = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        done = subprocess.run(list(map(str, command)), cwd=empty, env=variables, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet")
    run(*pip, "wheel", "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", folder, source)
    run(*pip, "--python", python, "install", "--no-deps", "--no-index", *folder.glob("scatterheal-*.whl"))
    # The dependencies are those of this environment. Python reads no .pth file of a folder that a .pth file names, so
    # this one's editable scatterheal stays out.
    own = Path(run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip())
    (own / "dependencies.pth").write_text("\n".join(path for path in sys.path if path.endswith("site-packages")))
    assert run(python, "-c", "import scatterheal; print(scatterheal.__file__)").startswith(str(own))
    return lambda command, *arguments: run(bin_folder / command, *arguments)


def test_it_has_a_version_and_imports_no_torch_for_it(ask):
    assert ask("scatterheal", "--version") == ask("python", "-m", "scatterheal", "--version")
    look = "import sys, scatterheal; print(scatterheal.__version__, 'torch' in sys.modules)"
    assert ask("python", "-c", look) == f"{__version__} False\n"


def test_it_has_its_presets_and_schemas(ask):
    assert ask("python", "-c", READS_ITS_FILES) == "3 vase Scan\n"


def test_the_doctor_finds_that_everything_works_in_it(ask):
    assert ask("scatterheal", "doctor").endswith("Everything that scatterheal needs works.\n")


def test_it_heals_a_frame_from_a_shell_and_an_array_from_python(ask):
    demo = ROOT / "scans" / "demo_waxs.tif"
    said = ask("scatterheal", "heal", demo, "--method", "polar_smooth", "-o", "healed")
    assert "of the pixels healed by polar_smooth" in said
    call = f"counts = scatterheal.read_frame({str(demo)!r}).counts; healed = scatterheal.heal(counts, budget=1)"
    assert ask("python", "-c", f"import scatterheal; {call}; print(healed.image.shape)") == "(180, 164)\n"
