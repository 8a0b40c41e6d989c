"""What users' files are like: a scan that cannot be used is one clear line, and those beside it are healed."""

import shutil

import fabio
import h5py
import numpy as np
import pandas as pd
import pytest
import tifffile
import yaml
from PIL import Image
from test_workflow import PER_SCAN, configure, new_project, snakemake

from scatterheal import storage
from scatterheal.pattern.pixels import GAP, HOT_OR_DEAD

SHAPE = (72, 96)
ROWS, COLUMNS = np.indices(SHAPE)
RADIUS = np.hypot(ROWS - 30.5, COLUMNS - 47.5)
COUNTS = np.random.default_rng(0).poisson(2 + 900 / (1 + (RADIUS / 5) ** 2)).astype(np.int32)
# A gap between two modules.
COUNTS[52:56] = -1

NEGATIVE = np.zeros(SHAPE, bool)
NEGATIVE[[5, 20, 20, 69], [7, 40, 41, 90]] = True
NO_NUMBER = np.zeros(SHAPE, bool)
NO_NUMBER[10:14, 20:30] = True
ODD = np.where(NEGATIVE, -7, COUNTS).astype(np.float32)
ODD[NO_NUMBER] = np.nan
ODD[13, 29] = np.inf

# Each refused scan: what its YAML says, and the reason and the remedy that its line gives.
COMPLETE = "is it complete, and is its ending right?"
OTHER = "choose another frame or file, or another crop"
REFUSED = {
    "truncated": (
        {"image": "truncated.tif"},
        f"scans/truncated.tif: cannot be read (it ends before the pixels of its 72 x 96 image do); {COMPLETE}",
    ),
    "truncated_figure": (
        {"image": "truncated.png", "kind": "figure"},
        f"scans/truncated.png: cannot be read (image file is truncated); {COMPLETE}",
    ),
    "picture_called_tiff": (
        {"image": "picture.tif"},
        "scans/picture.tif: a picture holds colours, not counts; write kind: figure in the scan's YAML",
    ),
    "text_called_tiff": (
        {"image": "text.tif"},
        f"scans/text.tif: cannot be read (Fabio could not identify scans/text.tif); {COMPLETE}",
    ),
    "zero_bytes": ({"image": "zero_bytes.cbf"}, "image: scans/zero_bytes.cbf is empty (0 bytes); copy it here again"),
    "all_zero": ({"image": "all_zero.tif"}, f"scans/all_zero.tif: every measured pixel is zero; {OTHER}"),
    "all_masked": (
        {"image": "all_masked.tif"},
        f"scans/all_masked.tif: every pixel is negative or masked in the file; {OTHER}",
    ),
    "all_nan": ({"image": "all_nan.tif"}, f"scans/all_nan.tif: every pixel is negative or masked in the file; {OTHER}"),
    "one_row": (
        {"image": "one_row.tif"},
        "scans/one_row.tif: holds int32 values of shape (1, 96), not one frame; export a single 2-D frame",
    ),
    "short_tiff": (
        {"image": "short.tif"},
        f"scans/short.tif: cannot be read (it ends before the pixels of its 16384 x 16384 image do); {COMPLETE}",
    ),
    "short_edf": (
        {"image": "short.edf"},
        f"scans/short.edf: cannot be read (its last frame is incomplete); {COMPLETE}",
    ),
    "unknown_detector": (
        {"image": "good.tif", "detector": "Pilatus9M"},
        "detector: pyFAI knows no 'Pilatus9M'; did you mean pilatus6m or",
    ),
    "another_detector": (
        {"image": "good.tif", "detector": "Pilatus100k"},
        "detector: Pilatus100k has (195, 487) pixels (rows, columns), the frame (72, 96); name the right detector, or",
    ),
    "mask_transposed": (
        {"image": "good.tif", "mask": {"file": "transposed.npy", "mask_convention": "nonzero_is_missing"}},
        "mask.file: its shape (96, 72) (rows, columns) is not the cropped image's (72, 96); transpose it",
    ),
    "mask_of_another_shape": (
        {"image": "good.tif", "mask": {"file": "another.png", "mask_convention": "zero_is_missing"}},
        "mask.file: its shape (71, 96) (rows, columns) is not the cropped image's (72, 96); draw it on results/",
    ),
    "mask_of_the_other_convention": (
        {"image": "good.tif", "mask": {"file": "all.npy", "mask_convention": "nonzero_is_missing"}},
        "mask.file: it hides the whole image; check mask_convention",
    ),
    "no_such_path": (
        {"image": "stack.h5", "data": "/entry/nowhere"},
        "scans/stack.h5: data: it has no '/entry/nowhere'; it has: /entry/data/data (72, 96)",
    ),
    "path_into_a_lost_file": (
        {"image": "stack.h5", "data": "/entry/data/lost"},
        "scans/stack.h5: data: '/entry/data/lost' lies in the file lost.h5, which is missing; put it beside this one",
    ),
    "no_plot_area": (
        {"image": "no_plot_area.png", "kind": "figure"},
        "crop: no plot area found in the figure; give crop: [left, top, right, bottom]",
    ),
}
# This is no trouble: a negative count or NaN is a pixel without a measurement, and content counts, not endings.
HEALED = {
    "negative_and_nan_in_edf_called_tiff": {"image": "edf.tif"},
}

# The report's own setting.
TINY = {"channels": 4, "iterations": 2, "check_every": 1, "snapshot_every": 1, "max_side": 32}


def cut(folder, whole, part):
    """A file of which the last third is lost."""
    content = (folder / whole).read_bytes()
    (folder / part).write_bytes(content[: 2 * len(content) // 3])


def short_tiff(path):
    """The header of 16384 x 16384 int32 counts, before some hundred bytes."""
    tags = {256: 16384, 257: 16384, 258: 32, 259: 1, 262: 1, 273: 200, 277: 1, 278: 16384, 279: 2**30, 339: 2}
    fields = [
        b"%b\4\0\1\0\0\0%b" % (tag.to_bytes(2, "little"), value.to_bytes(4, "little")) for tag, value in tags.items()
    ]
    header = b"II*\0\x08\0\0\0" + len(fields).to_bytes(2, "little") + b"".join(fields) + bytes(4)
    path.write_bytes(header.ljust(500, b"\0"))


def short_edf(path):
    header = "{\nHeaderID = EH:000001:000000:000000 ;\nByteOrder = LowByteFirst ;\nDataType = SignedInteger ;\n"
    header += f"Dim_1 = 16384 ;\nDim_2 = 16384 ;\nSize = {2**30} ;\n"
    path.write_bytes(header.ljust(510).encode() + b"}\n" + bytes(500))


def make_files(scans):
    for name, image in {
        "good": COUNTS,
        "all_zero": np.zeros_like(COUNTS),
        "all_masked": np.full_like(COUNTS, -1),
        "all_nan": np.full(SHAPE, np.nan, np.float32),
        "one_row": COUNTS[:1],
    }.items():
        tifffile.imwrite(scans / f"{name}.tif", image)
    shutil.move(scans / "demo_saxs.png", scans / "picture.tif")
    cut(scans, "good.tif", "truncated.tif")
    cut(scans, "picture.tif", "truncated.png")
    (scans / "text.tif").write_text("The frame is on the other disk.")
    (scans / "zero_bytes.cbf").touch()
    short_tiff(scans / "short.tif")
    short_edf(scans / "short.edf")
    np.save(scans / "transposed.npy", (COUNTS < 0).T)
    np.save(scans / "all.npy", np.ones(SHAPE, np.uint8))
    Image.fromarray((COUNTS[1:] >= 0).astype(np.uint8) * 255).save(scans / "another.png")
    with h5py.File(scans / "stack.h5", "w") as file:
        file["entry/data/data"] = COUNTS
        file["entry/data/lost"] = h5py.ExternalLink("lost.h5", "/frames")
    Image.fromarray(np.full((200, 300, 3), 255, np.uint8)).save(scans / "no_plot_area.png")
    fabio.edfimage.EdfImage(data=ODD).write(str(scans / "edf.edf"))
    (scans / "edf.edf").rename(scans / "edf.tif")


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """A project of good and bad scans after its one run: its folder, exit code and output."""
    project = new_project(tmp_path_factory.mktemp("troubles") / "project")
    for path in (project / "scans").glob("*.yaml"):
        path.unlink()
    make_files(project / "scans")
    for name, said in {**HEALED, **{name: said for name, (said, _) in REFUSED.items()}}.items():
        (project / "scans" / f"{name}.yaml").write_text(yaml.safe_dump({"kind": "frame", **said}))
    configure(project, preset="paper", grid={"lr": [0.01]}, fit=TINY)
    return project, *snakemake(project, check=False)


def test_the_run_fails_without_a_traceback(done):
    _, code, output = done
    assert code == 1
    for trace in ("Traceback", "unexpected", "SyntaxWarning", "Error:"):
        assert trace not in output.replace("WorkflowError:", "").replace("RuleException:", "")


@pytest.mark.parametrize("name", REFUSED)
def test_trouble_is_one_clear_line(done, name):
    project, _, output = done
    lines = {line for line in output.splitlines() if f"scans/{name}.yaml: " in line}
    (line,) = {line[line.index("scans/") :] for line in lines}
    assert line.startswith(f"scans/{name}.yaml: {REFUSED[name][1]}")
    assert (project / "results" / "logs" / "refuse" / f"{name}.log").read_text().strip() == line


def test_nothing_is_half_written(done):
    results = done[0] / "results"
    assert not [path for path in results.rglob("*") if ".part" in path.name]
    folders = {path.name for path in results.iterdir() if path.is_dir()}
    assert folders == {*HEALED, "logs", "benchmarks"}


def test_the_other_scans_are_healed(done):
    results = done[0] / "results"
    summary = pd.read_csv(results / "summary.csv", index_col="scan")
    assert summary.index.tolist() == sorted([*HEALED, *REFUSED])
    assert summary.problem[[*HEALED]].isna().all() and summary.score[[*HEALED]].notna().all()
    for name, (_, line) in REFUSED.items():
        assert summary.problem[name].startswith(f"scans/{name}.yaml: {line}") and np.isnan(summary.score[name])
    for name in HEALED:
        assert {path.name for path in (results / name).iterdir()} == PER_SCAN
        healed, reasons = (storage.read_tiff(results / name / f"{file}.tif") for file in ("healed", "reasons"))
        assert np.isfinite(healed).all() and (healed >= 0).all()
        assert (reasons[52:56] == GAP).all()
        assert (reasons > 0).mean() < 0.08


def test_negative_counts_and_nan_are_pixels_without_a_measurement(done):
    results = done[0] / "results" / "negative_and_nan_in_edf_called_tiff"
    reasons, healed = (storage.read_tiff(results / f"{file}.tif") for file in ("reasons", "healed"))
    assert (reasons[NEGATIVE] == GAP).all()
    assert (reasons[NO_NUMBER] == HOT_OR_DEAD).all()
    assert healed[reasons == 0].tobytes() == ODD[reasons == 0].tobytes()
