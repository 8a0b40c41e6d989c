"""The doctor: every line of a support question, and for what is broken one line with its remedy."""

import re
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
import torch

from scatterheal import __version__
from scatterheal.app import doctor
from scatterheal.app.commands import main
from scatterheal.compute import limits
from scatterheal.compute.memory import free


def test_all_is_well_here(capsys, monkeypatch):
    # The whole heal takes seconds; that a few iterations learn is enough.
    monkeypatch.setattr(doctor, "ITERATIONS", 5)
    assert main(["doctor"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-2:] == ["", "Everything that scatterheal needs works."]
    found = dict(line.split(":", 1) for line in lines[:-2])
    assert set(found) >= {"scatterheal", "python", "cores", "memory", *doctor.PACKAGES, "processor", "GPU", "heal"}
    assert all(line[15] == " " and line[16] != " " for line in lines[:-2])
    assert f"{__version__} in {Path(doctor.__file__).parents[1]}" in found["scatterheal"]
    assert "5 iterations in " in found["heal"] and re.search("precision: |float32 by itself", found["bfloat16"])


def test_a_missing_and_a_broken_package_are_told_apart(tmp_path, monkeypatch, capsys):
    (tmp_path / "broken_module.py").write_text("raise ImportError('libhdf5.so.310:\\n  cannot open')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(doctor, "PACKAGES", {"torch": "no_such_module", "h5py": "broken_module", "numpy": "numpy"})
    assert main(["doctor"]) == 1
    lines = capsys.readouterr().out.splitlines()
    # What needs them is left out: one cause, one line.
    assert lines[lines.index("What does not work, and what to do:") + 1 :] == [
        "torch: No module named 'no_such_module'; pip install torch",
        "h5py: libhdf5.so.310: cannot open; pip install --force-reinstall --no-deps h5py",
    ]
    assert not any(line.startswith(("GPU", "bfloat16", "bitshuffle", "heal")) for line in lines)


def test_an_extra_that_is_not_installed_is_said_and_no_problem(tmp_path, monkeypatch):
    (tmp_path / "broken_plugin.py").write_text("raise ImportError('no such symbol')")
    monkeypatch.syspath_prepend(tmp_path)
    asked = {"opencv": {"cv": "no_such_module"}, "slurm": {"plugin": "broken_plugin"}, "workflow": {"numpy": "numpy"}}
    monkeypatch.setattr(doctor, "EXTRAS", asked)
    opencv, slurm, workflow = map(doctor.extra, asked)
    assert opencv == ("[opencv]", "not installed (cv); pip install 'scatterheal[opencv]'", None)
    assert slurm.problem == "no such symbol; pip install --force-reinstall --no-deps plugin"
    assert workflow == ("[workflow]", f"numpy {np.__version__}", None)


def test_it_looks_at_all_that_scatterheal_asks_for():
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]

    def names(requirements):
        return {re.match(r"[\w-]+", each)[0].lower() for each in requirements} - {"scatterheal"}

    assert names(project["dependencies"]) <= {name.lower() for name in doctor.PACKAGES}
    extras = {name: names(asked) for name, asked in project["optional-dependencies"].items() if name != "test"}
    assert extras == {name: set(asked) for name, asked in doctor.EXTRAS.items()}


@pytest.mark.parametrize("last", [0.5, np.nan, 0.4])
def test_a_network_that_does_not_learn_is_a_problem(monkeypatch, last):
    monkeypatch.setattr(doctor, "_demo_losses", lambda device: np.float32([0.4, last]))
    assert doctor.heal().problem.startswith("the network does not learn on c")
    monkeypatch.setattr(doctor, "_demo_losses", lambda device: np.float32([0.4, 0.1]))
    assert doctor.heal().problem is None


def test_eiger_files_that_cannot_be_read_are_a_problem(monkeypatch):
    monkeypatch.setitem(sys.modules, "hdf5plugin", None)
    assert doctor.bitshuffle().problem.endswith("; pip install --force-reinstall h5py hdf5plugin")


def test_the_limits_of_a_container_are_shown(tmp_path, monkeypatch):
    monkeypatch.setattr(limits, "GROUPS", tmp_path)
    (tmp_path / "cpu.max").write_text("150000 100000\n")
    (tmp_path / "memory.max").write_text(f"{3 * 2**30}\n")
    found = {finding.name: finding.value for finding in doctor.installation()}
    assert found["cores"].endswith(", limited to 1.5 by the container or the cluster's job")
    assert found["memory"].endswith(", limited to 3.0 GiB by the container or the cluster's job")
    (tmp_path / "cpu.max").write_text("max 100000\n")
    (tmp_path / "memory.max").write_text("max\n")
    assert not any("limited" in finding.value for finding in doctor.installation())


def test_a_job_of_a_cluster_has_what_its_groups_leave(tmp_path, monkeypatch):
    job = tmp_path / "groups" / "slurm" / "job_7"
    for folder, most in ((job, "max"), (job.parent, "9000"), (job.parent.parent, "20000")):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "memory.max").write_text(f"{most}\n")
        (folder / "memory.current").write_text("5000\n")
        (folder / "memory.stat").write_text("anon 3000\nactive_file 1500\ninactive_file 500\n")
    # Above the groups' own root nothing is looked at.
    (tmp_path / "memory.max").write_text("1\n")
    (tmp_path / "own").write_text("4:memory:/elsewhere\n0::/slurm/job_7\n")
    monkeypatch.setattr(limits, "GROUPS", tmp_path / "groups")
    monkeypatch.setattr(limits, "OWN", tmp_path / "own")
    assert (limits.memory(), limits.memory_left()) == (9000, 6000)
    assert free(torch.device("cpu")) == 6000


def test_why_there_is_no_gpu(tmp_path, monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(doctor, "NVIDIA_DRIVER", tmp_path / "none")
    monkeypatch.setattr(torch.version, "cuda", None)
    assert doctor._gpus() == "none: this torch is a CPU build"
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    assert doctor._gpus() == "none: there is no NVIDIA driver"
    monkeypatch.setattr(doctor, "NVIDIA_DRIVER", tmp_path)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert doctor._gpus() == "none that torch sees; CUDA_VISIBLE_DEVICES="
    monkeypatch.setattr(torch.version, "cuda", None)
    assert "so a CUDA build would see the GPU" in doctor._gpus()


def test_version(capsys):
    with pytest.raises(SystemExit, match="0"):
        main(["--version"])
    assert capsys.readouterr().out == f"scatterheal {__version__}\n"


def test_a_shell_completes_commands_and_files(capsys):
    with pytest.raises(SystemExit, match="0"):
        main(["--print-completion", "bash"])
    said = capsys.readouterr().out
    assert "(doctor add" in said and "add_pos_0_COMPGEN=_shtab_compgen_files" in said


def test_the_exit_code_says_whose_fault_it_is(tmp_path, capsys):
    with pytest.raises(SystemExit, match="0"):
        main(["--help"])
    assert "0 all went well, 1 a file cannot be used" in " ".join(capsys.readouterr().out.split())
    assert main(["add", str(tmp_path / "none.cbf")]) == 1
    for wrong in ([], ["add"], ["heel", "frame.cbf"]):
        with pytest.raises(SystemExit, match="2"):
            main(wrong)
