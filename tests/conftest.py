"""Shared by all tests: the real scans, where this machine has them, and numbers of 64 bits."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

# The same examples every time: a property that fails does so for everybody. `--hypothesis-profile=default` searches on.
settings.register_profile("same", derandomize=True)
settings.load_profile("same")

SCANS = Path(__file__).parent / "scans"
SHARED = Path(__file__).parents[2] / "shared" / "scans"
# The files that take more than some seconds, the longest first: they train, run Snakemake, start processes, or look for
# centres and masks. `make quick` leaves them out.
SLOW = [
    *(
        "test_workflow",
        "test_slurm",
        "test_resume",
        "test_disk",
        "test_wheel",
        "test_api",
        "test_polar",
        "test_troubles",
    ),
    *("test_add", "test_real_scans", "test_side_by_side", "test_search", "test_inpaint", "test_prepare", "test_fit"),
    *(
        "test_devices",
        "test_masks",
        "test_elsewhere",
        "test_simulate",
        "test_automatic",
        "test_colours",
        "test_portable",
    ),
    *(
        "test_curves",
        "test_holdout",
        "test_baselines",
        "test_profiles",
        "test_fast",
        "test_detectors",
        "test_unmeasured",
        "test_doctor",
    ),
    # Doctests of what looks for centres and heals.
    *("python", "centre", "simulate", "api"),
]


def pytest_xdist_auto_num_workers(config):
    """One more than there are cores, since a SLURM and kills are waited for; for what is not slow one a core."""
    return (os.cpu_count() or 1) + (config.option.markexpr != "not slow")


def pytest_collection_modifyitems(items):
    """The longest files first: of tests side by side none is left alone with one of them in the end."""
    place = {name: number for number, name in enumerate(SLOW)}
    items.sort(key=lambda item: place.get(item.path.stem, len(SLOW)))
    for item in items:
        if item.path.stem in SLOW:
            item.add_marker("slow")


@pytest.fixture(scope="session")
def real_scans():
    """Every real scan that tests/scans describes, by name."""
    if not SHARED.is_dir():
        pytest.skip(f"the real scans are not on this machine ({SHARED}); they are never committed")
    from scatterheal.settings.reading import read_scans, scan_files

    return read_scans(scan_files(str(SCANS)))[0]


@pytest.fixture
def shallow(monkeypatch):
    """Networks of two levels, where the fifth would cost more than it could show."""
    monkeypatch.setattr("scatterheal.dip.network.LEVELS", 2)


@pytest.fixture
def doubles():
    """Numbers of 64 bits wherever no other type is asked for: rounding then stays small through many steps of Adam."""
    import torch

    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)
