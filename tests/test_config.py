"""Configuration and scans: what is refused, in which words, and how runs are named."""

import json
import math

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from scatterheal.errors import ScanError
from scatterheal.settings import reference
from scatterheal.settings.models import Fit, Mask
from scatterheal.settings.reading import (
    PRESETS,
    SCHEMAS,
    check_geometry,
    file_of,
    read_config,
    read_scan,
    read_scans,
    scan_files,
)
from scatterheal.settings.runs import runs_of


@pytest.fixture
def scan_yaml(tmp_path):
    (tmp_path / "a.png").write_bytes(b"not empty")

    def write(text):
        path = tmp_path / "a.yaml"
        path.write_text(text)
        return path

    return write


def refusal(function, *arguments):
    with pytest.raises(ScanError) as refused:
        function(*arguments)
    message = str(refused.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("image: a.png\nkind: figur", "a.yaml: kind: input should be 'figure' or 'frame' (it is 'figur'); expected"),
        ("kind: figure", "a.yaml: image: missing; add it: The image, beside this YAML or a path."),
        ("image: a.png\nkind: figure\nmasc: {}", "a.yaml: masc: unknown key; remove it, or use one of: image, kind"),
        ("image: b.png\nkind: figure", "b.png; correct the name or add the file"),
        ("image: a.png\nkind: figure\nmask: {holder: {polygon: [[1, 2]]}}", "a.yaml: mask.holder.0.polygon: "),
        ("image: a.png\nkind: figure\nmask: {holder: {}}", "a.yaml: mask.holder.0: give exactly one of rectangle"),
        (
            "image: a.png\nkind: figure\nmask: {holder: atuo}",
            "a.yaml: mask.holder.0: input should be 'auto' (it is 'atuo')",
        ),
        (
            "image: a.png\nkind: figure\nmask: {holder: [auto, {square: [1]}]}",
            "a.yaml: mask.holder.1.square: unknown key; remove it, or use one of: rectangle, polygon, circle",
        ),
        ("image: a.png\nkind: figure\nmask: {user: auto}", "a.yaml: mask.user.0: input should be a valid dictionary"),
        ("image: a.png\nkind: figure\nmask: {holder: {circle: [1, 2, -3]}}", "a.yaml: mask.holder.0.circle.2: "),
        ("image: a.png\nkind: figure\nmask: {file: a.png}", "a.yaml: mask: file and mask_convention"),
        ("image: a.png\nkind: figure\nmask: {stripes: {vertical: some}}", "expected: auto | none | [["),
        ("image: a.png\nkind: figure\ndetector: Pilatus2M", "a.yaml: detector is for frames"),
        ("image: a.png\nkind: figure\nframe: 0", "a.yaml: frame is for frames; leave it out of a figure"),
        ("image: a.png\nkind: figure\nponi: a.png", "a.yaml: poni is for frames"),
        ("image: a.png\nkind: frame\ncolour: {map: jet}", "a.yaml: colour is for figures; leave it out of a frame"),
        ("image: a.png\nkind: frame\nframe: -1", "a.yaml: frame: "),
        ("image: a.png\nkind: frame\nframe: 9-3", "a.yaml: frame names no frame; write [0, 5, 7], or first-last"),
        ("image: a.png\nkind: frame\nframe: []", "a.yaml: frame names no frame; write"),
        ("image: a.png\nkind: frame\nponi: a.png\ncentre: [1, 2]", "a.yaml: centre and poni both say where the beam"),
        ("image: a.png\nkind: frame\nponi: b.poni", "b.poni; correct the name or add the file"),
        ("image: a.png\nkind: figure\ncrop: [5, 5, 5, 9]", "a.yaml: crop must be [left, top, right, bottom]"),
        ("image: [a.png\nkind: figure", "a.yaml: not valid YAML in line 2 (expected ',' or ']', but got"),
        ("image: a.png\nkind: figure\nkind: frame", "a.yaml: not valid YAML in line 3 (kind is given twice); correct"),
        ("image: a.png\nkind: figure\ncolour: {range: [3, 0]}", "a.yaml: colour: range must be [low, high]"),
        ("image: a.png\nkind: figure\ncrop: [-5, 0, 5, 5]", "a.yaml: crop must be"),
        ("just words", "a.yaml: input should be a valid dictionary"),
    ],
)
def test_a_bad_scan_is_refused_in_one_line_with_file_key_and_remedy(scan_yaml, text, words):
    assert words in refusal(read_scan, scan_yaml(text))


def test_sections_left_empty_are_as_good_as_left_out(scan_yaml):
    scan = read_scan(scan_yaml("image: a.png\nkind: figure\nmask:\n  stripes:\n"))
    assert scan.mask == Mask()
    assert read_config({"fit": None}).fit == read_config({}).fit


def test_a_yaml_that_is_no_utf8_is_one_line(tmp_path):
    (tmp_path / "a.yaml").write_bytes("# 5 µm\nimage: a.png".encode("latin-1"))
    assert "a.yaml: not UTF-8 text at byte 4; save it as UTF-8" in refusal(read_scan, tmp_path / "a.yaml")


def test_an_empty_image_is_refused(scan_yaml, tmp_path):
    (tmp_path / "b.png").touch()
    assert "b.png is empty (0 bytes); copy it here again" in refusal(read_scan, scan_yaml("image: b.png\nkind: figure"))


def test_every_bad_scan_of_a_folder_is_named_and_stops_no_other(scan_yaml, tmp_path):
    scan_yaml("kind: figure")
    (tmp_path / "b.yaml").write_text("image: a.png\nkind: 3")
    (tmp_path / "c.yaml").write_text("image: a.png\nkind: figure")
    scans, problems = read_scans(scan_files(str(tmp_path)))
    assert list(scans) == ["c"]
    assert {name: line.split(": ")[1] for name, line in problems.items()} == {"a": "image", "b": "kind"}


@pytest.mark.parametrize(
    ("frame", "names"),
    [
        ("12", {"a": 12}),
        ("sum", {"a": "sum"}),
        ("[5, 0, 5]", {"a_f00000": 0, "a_f00005": 5}),
        ("[7]", {"a_f00007": 7}),
        ("98-100", {"a_f00098": 98, "a_f00099": 99, "a_f00100": 100}),
        ("100000-100000", {"a_f100000": 100000}),
    ],
)
def test_a_file_of_several_frames_is_several_scans(scan_yaml, frame, names):
    path = scan_yaml(f"image: a.png\nkind: frame\nframe: {frame}")
    scans, problems = read_scans({"a": path})
    assert {name: scan.frame for name, scan in scans.items()} == names
    assert not problems
    assert {file_of(name, {"a": path}) for name in names} == {path}


def test_a_frame_never_takes_the_name_of_another_scan(scan_yaml, tmp_path):
    files = {"a": scan_yaml("image: a.png\nkind: frame\nframe: 0-1")}
    files["a_f00001"] = tmp_path / "a_f00001.yaml"
    files["a_f00001"].write_text("image: a.png\nkind: frame")
    for order in (files, dict(reversed(files.items()))):
        problems = read_scans(order)[1]
        assert "frame: there is already a scan a_f00001; rename one of the files" in problems["a_f00001"]


def test_scan_names(tmp_path):
    assert "no <scan>.yaml in the folder" in refusal(scan_files, str(tmp_path))
    (tmp_path / "my scan.yaml").touch()
    # It stops no other scan.
    _, problems = read_scans(scan_files(str(tmp_path)))
    assert "use only letters, digits, _ . -; rename the file" in problems["my_scan"]
    assert "two files are called a" in refusal(scan_files, ["x/a.yaml", "y/a.yaml"])
    assert "two files are called A" in refusal(scan_files, ["x/a.yaml", "y/A.yaml"])
    _, problems = read_scans(scan_files(["logs.yaml"]))
    assert "results/logs is the pipeline's own; rename the file" in problems["logs_"]


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ({"grids": {}}, "c.yaml: grids: unknown key; remove it, or use one of: scans, results, preset, grid, fit"),
        ({"grid": {"lrr": [1]}}, "c.yaml: grid: input should be 'domain', 'loss', 'start', 'network', 'input', 'chann"),
        ({"grid": {"device": ["cpu"]}}, "c.yaml: grid: input should be"),
        ({"grid": {"lr": []}}, "c.yaml: grid: list should have at least 1 item"),
        ({"fit": {"lr": "fast"}}, "c.yaml: fit.lr: "),
        ({"fit": {"device": "gpu"}}, "c.yaml: fit.device: input should be 'auto', 'cpu' or 'cuda' (it is 'gpu')"),
        ({"preset": "best"}, "c.yaml: preset: "),
        ({"results": ""}, "c.yaml: results: "),
        ({"fit": {"lr": 0.1}, "grid": {"lr": [1]}}, "c.yaml: fit.lr: grid has an axis lr that overrides it; remove"),
        ({"scans": []}, "c.yaml: scans: "),
        ({"fit": {"seed": 10**23}}, "c.yaml: fit.seed: "),
        ({"fit": {"angles": 100}}, "c.yaml: fit.angles: input should be a multiple of 32 (it is 100); expected: Polar"),
        ({"fit": {"check_every": 30}}, "c.yaml: fit: snapshot_every must be a multiple of check_every"),
        ({"folds": 0}, "c.yaml: folds: input should be greater than or equal to 1 (it is 0); expected: So many sets"),
        ({"methods": []}, "c.yaml: methods: list should have at least 1 item"),
        ({"methods": ["dip", "tela"]}, "c.yaml: methods.1: input should be 'dip', 'polar_smooth', 'pyfai', 'liu2017'"),
        ({"methods": ["dip", "telea", "telea"]}, "c.yaml: methods names one twice"),
        ({"methods": ["telea"], "heal_with": "dip"}, "c.yaml: heal_with: dip needs dip among the methods"),
    ],
)
def test_a_bad_configuration_is_refused(raw, words):
    assert words in refusal(read_config, raw, "c.yaml")


def test_a_fixed_value_takes_the_place_of_the_presets_axis():
    runs = runs_of(read_config({"preset": "paper", "fit": {"lr": 0.02}}))
    assert len(runs) == 8
    assert {run["lr"] for run in runs.values()} == {0.02}


@pytest.mark.parametrize("word", ["none", "null", None])
def test_none_may_be_written_as_the_docs_say_it_and_as_a_command_line_gives_it(word):
    fit = read_config({"fit": {"max_side": word, "input": word}}).fit
    assert fit.max_side is None and fit.input is None


def test_every_method_is_a_run_of_its_own_and_the_grid_is_for_networks_alone():
    grid = {"lr": [0.01, 0.1]}
    runs = runs_of(read_config({"grid": grid, "methods": ["telea", "dip", "pyfai"]}))
    assert list(runs) == ["lr-0.01", "lr-0.1", "telea", "pyfai"]
    assert [run["method"] for run in runs.values()] == ["dip", "dip", "telea", "pyfai"]
    # What the networks are told is nothing to them: another value must not compute them again.
    assert runs["telea"] == {"method": "telea"}
    assert list(runs_of(read_config({"grid": grid, "methods": ["telea"]}))) == ["telea"]


def test_grid_values_are_checked_like_any_other():
    config = read_config({"grid": {"lr": [0.1, -1]}})
    assert "c.yaml: grid.lr: input should be greater than 0 (it is -1)" in refusal(runs_of, config, "c.yaml")
    twice = read_config({"grid": {"lr": [0.1, 1e-1]}})
    assert "the run lr-0.1 comes up twice" in refusal(runs_of, twice, "c.yaml")


def test_the_default_is_the_polar_likelihood_beside_its_cartesian_twin():
    runs = runs_of(read_config({}))
    assert {run["domain"] for run in runs.values()} == {"polar", "cartesian"}
    assert runs == runs_of(read_config({"preset": "scattering"}))
    assert {run["loss"] for run in runs.values()} == {"poisson"}
    assert {run["stop"] for run in runs.values()} == {"hidden"}
    # A grid of one's own keeps the preset's canvas.
    assert runs_of(read_config({"grid": {"lr": [0.1]}}))["lr-0.1"]["domain"] == "polar"


def test_the_paper_preset_is_the_grid_of_table_2():
    runs = runs_of(read_config({"preset": "paper"}))
    assert len(runs) == 40
    values = {key: sorted({run[key] for run in runs.values()}) for key in ("lr", "param_noise", "reg_noise_std")}
    assert values == {
        "lr": [0.0001, 0.001, 0.01, 0.05, 0.1],
        "param_noise": [False, True],
        "reg_noise_std": [0, 0.003, 0.03, 0.3],
    }
    shared = {
        key: {run[key] for run in runs.values()}
        for key in (
            *("domain", "loss", "network", "input", "channels", "average", "iterations", "stop", "snapshot_every"),
            *("max_side", "precision"),
        )
    }
    assert shared == {
        "domain": {"cartesian"},
        "loss": {"mse"},
        "average": {0},
        "stop": {"end"},
        "network": {"vase"},
        "input": {"meshgrid"},
        "channels": {128},
        "iterations": {6000},
        "snapshot_every": {1500},
        "max_side": {282},
        "precision": {"float32"},
    }


@pytest.mark.parametrize("name", ["paper", "scattering"])
def test_a_preset_names_every_hyperparameter(name):
    preset = yaml.safe_load((PRESETS / f"{name}.yaml").read_text())
    assert {*preset["fit"], *preset["grid"]} == set(Fit.model_fields) - {"device"}


def test_the_paper_preset_works_as_a_config_file_too():
    preset = yaml.safe_load((PRESETS / "paper.yaml").read_text())
    assert runs_of(read_config(preset)) == runs_of(read_config({"preset": "paper"}))


AXES = {
    "lr": st.lists(st.floats(1e-6, 1), min_size=1, max_size=3, unique=True),
    "reg_noise_std": st.lists(st.sampled_from([0, 0.003, 0.03, 0.3]), min_size=1, max_size=3, unique=True),
    "param_noise": st.lists(st.booleans(), min_size=1, max_size=2, unique=True),
    "max_side": st.lists(st.sampled_from([None, 64, 282]), min_size=1, max_size=3, unique=True),
}


@given(st.fixed_dictionaries({}, optional=AXES), st.randoms())
def test_names_of_runs_survive_more_values_and_another_order(grid, random):
    before = runs_of(read_config({"grid": grid}))
    assert len(before) == max(1, math.prod(len(values) for values in grid.values()))
    shuffled = {
        axis: random.sample(values, len(values)) for axis, values in random.sample(list(grid.items()), len(grid))
    }
    if "lr" in shuffled:
        shuffled["lr"] = [*shuffled["lr"], 0.9999999]
    after = runs_of(read_config({"grid": shuffled}))
    assert before.items() <= after.items()
    assert all(len(name) < 200 and name.isascii() and "/" not in name for name in after)


@given(st.floats(-30, 60), st.floats(-30, 60), st.floats(0.1, 40))
def test_a_circle_is_accepted_just_when_no_part_leaves_the_image(x, y, radius):
    inside = x - radius >= -1 and x + radius <= 30 and y - radius >= -1 and y + radius <= 20
    mask = Mask(beamstop={"circle": (x, y, radius)})
    if inside:
        check_geometry(mask, (30, 20))
    else:
        assert "mask.beamstop: it reaches from" in refusal(check_geometry, mask, (30, 20))


def test_stripes_outside_the_image_are_refused():
    mask = Mask(stripes={"horizontal": [[3, 5]], "vertical": [[18, 31]]})
    assert "mask.stripes.vertical: [18, 31] is not within 0..30" in refusal(check_geometry, mask, (30, 20))


@pytest.mark.parametrize("path", reference.files())
def test_generated_files_are_up_to_date(path):
    written = (reference.ROOT / path).read_text(encoding="utf-8")
    assert written == reference.files()[path], "run python -m scatterheal.settings.reference"


@pytest.mark.parametrize(
    ("kind", "files"),
    [("scan", ["scans/*.yaml", "tests/scans/*.yaml"]), ("config", ["config.yaml", "workflow/presets/*.yaml"])],
)
def test_the_schema_accepts_our_own_files(kind, files):
    import jsonschema

    schema = json.loads((SCHEMAS / f"{kind}.schema.json").read_text())
    for path in (path for pattern in files for path in reference.ROOT.glob(pattern)):
        jsonschema.validate(yaml.safe_load(path.read_text()), schema)
