"""config.yaml and <scan>.yaml: their models, their checks, and the grid of runs.

Every key of the two files is a field below; the JSON schemas for editors and docs/configuration.md are
generated from these models (``python -m scatterheal.reference``).
"""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationError,
    model_validator,
)

from scatterheal.errors import ScanError

ROOT = Path(__file__).resolve().parent.parent
PRESETS = ROOT / "workflow" / "presets"
# What the pipeline itself puts into the results folder.
RESERVED = ("logs", "benchmarks", "summary.csv", "report.html")

# No counts have a larger decimal logarithm.
MOST_DECADES = 12

Box = tuple[int, int, int, int]
Point = tuple[float, float]
Range = tuple[int, int]
FrameRange = Annotated[str, Field(pattern=r"^\d+-\d+$")]


class Strict(BaseModel):
    """A model that refuses keys it does not know."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)


class Shape(Strict):
    """One region of the cropped image, in its own pixels: exactly one of the three outlines."""

    rectangle: Box | None = None
    """[left, top, right, bottom]; right and bottom are the first pixels outside."""
    polygon: Annotated[list[Point], Field(min_length=3)] | None = None
    """[[x, y], ...], at least three corners, pixel centres at integers."""
    circle: tuple[float, float, Annotated[float, Field(gt=0)]] | None = None
    """[x, y, radius]"""
    threshold: Annotated[float, Field(ge=0, le=255)] | None = None
    """Only pixels whose grey level (0..255) is below this are missing; none: all of them."""

    @model_validator(mode="after")
    def _one_outline(self) -> Shape:
        given = [k for k in ("rectangle", "polygon", "circle") if getattr(self, k) is not None]
        if len(given) != 1:
            raise ValueError("give exactly one of rectangle, polygon, circle")
        if self.rectangle and not (self.rectangle[0] < self.rectangle[2] and self.rectangle[1] < self.rectangle[3]):
            raise ValueError("rectangle must be [left, top, right, bottom] with left < right, top < bottom")
        return self

    def bounds(self) -> tuple[float, float, float, float]:
        """Left, top, right and bottom of the pixels that the outline reaches."""
        if self.rectangle:
            left, top, right, bottom = self.rectangle
            return left, top, right - 1, bottom - 1
        if self.circle:
            x, y, radius = self.circle
            return x - radius, y - radius, x + radius, y + radius
        xs, ys = zip(*self.polygon, strict=True)
        return min(xs), min(ys), max(xs), max(ys)


class UniqueKeys(yaml.SafeLoader):
    """Reads YAML, and refuses a key that is given twice instead of taking the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """A mapping with every key once."""
        seen = set()
        for key, _ in node.value:
            if key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, f"{key.value} is given twice", key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def _listed(value: Any) -> Any:
    """One shape, or `auto`, as a list of one; `none` as an empty list."""
    if value == "none":
        return []
    return [value] if isinstance(value, dict | str) else value


def _word_or_shape(value: Any) -> str:
    """Which of the two somebody meant, so that a shape's fault is not called a misspelt `auto`."""
    return "word" if isinstance(value, str) else "shape"


AutoOrShape = Annotated[
    Annotated[Literal["auto"], Tag("word")] | Annotated[Shape, Tag("shape")], Discriminator(_word_or_shape)
]
Shapes = Annotated[list[Shape], BeforeValidator(_listed, json_schema_input_type=Literal["none"] | Shape | list[Shape])]
ShapesOrAuto = Annotated[
    list[AutoOrShape],
    BeforeValidator(_listed, json_schema_input_type=Literal["auto", "none"] | Shape | list[Literal["auto"] | Shape]),
]
Lines = Literal["auto", "none"] | list[Range]


class Stripes(Strict):
    """Dark bars across the whole image (detector gaps seen in a figure)."""

    horizontal: Lines = "auto"
    """auto | none | [[first row, last row + 1], ...]"""
    vertical: Lines = "auto"
    """auto | none | [[first column, last column + 1], ...]"""
    threshold: Annotated[float, Field(ge=0, le=255)] = 10
    """A pixel counts as dark when its grey level (0..255) is not above this."""


class Mask(Strict):
    """What is missing in the image; without any key everything is found by itself."""

    beamstop: ShapesOrAuto = ["auto"]
    """auto: found by itself; one shape or a list of shapes instead, or [auto, shape] besides; none."""
    holder: ShapesOrAuto = ["auto"]
    """auto, one shape, a list, or none; the paper's is a polygon."""
    outside: ShapesOrAuto = ["auto"]
    """Parts of the detector that saw no scattering (shadowed corners, blades): auto, shapes, or none."""
    user: Shapes = []
    """Anything else that is not the sample's scattering: one shape or a list."""
    keep: Shapes = []
    """Where nothing that was found by itself is believed: one shape or a list."""
    stripes: Stripes = Stripes()
    """Dark rows and columns across the whole image."""
    file: Path | None = None
    """A mask file (PNG, TIFF, EDF, NPY, HDF5, Fit2D .msk) of the cropped image's shape, beside this YAML or a path."""
    data: str | None = None
    """The path inside an HDF5 mask file."""
    mask_convention: Literal["zero_is_missing", "nonzero_is_missing"] | None = None
    """What the mask file means; required with `file`, never guessed."""
    allow_large_mask: bool = False
    """Accept a mask that hides more than half of the image."""

    @model_validator(mode="after")
    def _file_has_convention(self) -> Mask:
        if (self.file is None) != (self.mask_convention is None):
            raise ValueError("file and mask_convention (zero_is_missing | nonzero_is_missing) go together")
        return self

    def shapes(self) -> list[tuple[str, Shape]]:
        """Every drawn shape with the name of its part."""
        parts = ("beamstop", "holder", "outside", "user", "keep")
        return [(part, shape) for part in parts for shape in getattr(self, part) if shape != "auto"]


class Colour(Strict):
    """What the colours of a figure mean."""

    map: str = "auto"
    """auto: the figure's colour bar, luminance where there is none; colourbar; a map of matplotlib's, matlab_jet,
    csaxs_jet, parula; luminance: the picture is healed in its colours, and masks go by luminance,
    which does not rise with intensity on maps such as jet."""
    range: tuple[float, float] | None = None
    """The values at the two ends of the colour bar; none: read from an EPS's labels, else 0..1 along the bar."""
    scale: Literal["linear", "log10"] | None = None
    """log10: the range is the decimal logarithm of counts; none: read from an EPS's title or labels, else linear."""

    @model_validator(mode="after")
    def _rising(self) -> Colour:
        if self.range is not None and not self.range[0] < self.range[1]:
            raise ValueError("range must be [low, high] with low < high")
        if self.range is not None and self.scale == "log10" and self.range[1] > MOST_DECADES:
            raise ValueError("on a log10 scale range is the logarithm: [0, 3] for 1 to 1000 counts")
        return self


class Scan(Strict):
    """One scan: where its image is and what is missing in it."""

    image: Path
    """The image, beside this YAML or a path."""
    kind: Literal["figure", "frame"]
    """figure: a picture with axes and colours; frame: photon counts of a detector."""
    data: str | None = None
    """Frames in HDF5 only: the path inside the file; none: what the file calls its default, or its only image."""
    frame: Annotated[int, Field(ge=0)] | Literal["sum"] | list[Annotated[int, Field(ge=0)]] | FrameRange | None = None
    """Which frame of several, from 0: 12 | sum | several as scans of their own: [0, 5, 7] or 0-99."""
    crop: Literal["auto"] | Box = "auto"
    """auto: the plot area of a figure, the whole frame; or [left, top, right, bottom] in the file's pixels."""
    colour: Colour = Colour()
    """Figures only: the meaning of the colours."""
    detector: str = "auto"
    """Frames only: auto, none or a pyFAI detector name (Pilatus2M, Eiger4M, ...); its gaps are missing."""
    centre: Literal["auto"] | Point = "auto"
    """The beam centre [x, y] in pixels of the cropped image; auto: found from the pattern."""
    poni: Path | None = None
    """Frames only: a pyFAI geometry file, for centre, distance, wavelength and pixel size."""
    truth: Path | None = None
    """Simulated scans only: the image without holes and noise, to score the healed pixels against."""
    mask: Annotated[
        Mask,
        BeforeValidator(lambda value: {} if value == "auto" else value, json_schema_input_type=Literal["auto"] | Mask),
    ] = Mask()
    """What is missing; auto, or none of it given: everything is found by itself."""

    @model_validator(mode="after")
    def _keys_fit_kind(self) -> Scan:
        given = self.model_fields_set
        for key in ("detector", "data", "frame", "poni") if self.kind == "figure" else ("colour",):
            if key in given and getattr(self, key) is not None:
                other = "frames" if self.kind == "figure" else "figures"
                raise ValueError(f"{key} is for {other}; leave it out of a {self.kind}")
        if _several(self.frame) == []:
            raise ValueError("frame names no frame; write [0, 5, 7], or first-last with first <= last")
        if self.poni and self.centre != "auto":
            raise ValueError("centre and poni both say where the beam is; leave one of them out")
        if self.crop != "auto" and not (0 <= self.crop[0] < self.crop[2] and 0 <= self.crop[1] < self.crop[3]):
            raise ValueError("crop must be [left, top, right, bottom] with 0 <= left < right, 0 <= top < bottom")
        return self


class Fit(Strict):
    """The hyperparameters of one run. Any of them, but `device`, may be an axis of the grid."""

    domain: Literal["cartesian", "polar"] = "cartesian"
    """What the network paints on: the scan's own grid, or radius and azimuth round the beam centre (a scan without one
    takes the former)."""
    loss: Literal["mse", "poisson", "anscombe"] = "mse"
    """mse: squared error of the picture, of counts as log(1 + n); poisson: likelihood of the counts; anscombe: squared
    error of their square roots. A scan without counts takes mse."""
    start: Literal["level", "radial", "smooth"] = "level"
    """With counts: what the network corrects. level: their mean; radial: their radial profile; smooth: what
    the method polar_smooth says. A scan without a centre takes level."""
    network: Literal["vase", "kate", "library"] = "vase"
    """vase: the paper's (no skips); kate: with skips; library: 16-32-64-128-128 channels."""
    input: Literal["meshgrid", "noise", "polar"] | None = None
    """What the network is fed; none: the network's own (vase: meshgrid, the others: noise); polar: radius and azimuth,
    on either canvas."""
    channels: Annotated[int, Field(ge=4, le=512)] = 128
    """Width of the widest level; the others keep their ratio to it."""
    lr: Annotated[float, Field(gt=0)] = 0.01
    """Adam's learning rate."""
    param_noise: bool = False
    """Add normal noise to each convolution's weights, std = their own std / 50, every iteration."""
    reg_noise_std: Annotated[float, Field(ge=0)] = 0.03
    """Standard deviation of the normal noise added to the input, every iteration; 0: none."""
    average: Annotated[float, Field(ge=0, lt=1)] = 0
    """Weight of the past in the running average of the paintings; 0: the last one, painted without noise."""
    iterations: Annotated[int, Field(ge=1)] = 6000
    """Training steps, at most."""
    stop: Literal["end", "hidden", "variance"] = "end"
    """end: after all iterations; hidden: where the score on the hidden pixels is best; variance: where the paintings
    change least (ES-EMV), for scans too small to hide much."""
    patience: Annotated[int, Field(ge=1)] = 1000
    """Iterations without anything better after which stop: hidden or variance ends the training."""
    check_every: Annotated[int, Field(ge=1)] = 100
    """Every so many iterations, and after the last, the hidden pixels are scored."""
    snapshot_every: Annotated[int, Field(ge=1)] = 1500
    """Every so many iterations, and after the last, the output is saved as an image; a multiple of check_every."""
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    """Seed of the weights, the input and every noise; the folds and the refits count on from it."""
    max_side: Annotated[int, Field(ge=16)] | None = 282
    """Cartesian: the most rows and columns to paint on; none: the scan's own size."""
    radius_step: Annotated[float, Field(gt=0)] = 1.4
    """Polar: pixels of the scan from one row to the next."""
    angles: Annotated[int, Field(ge=32, multiple_of=32)] = 384
    """Polar: columns round the circle."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """bfloat16: convolutions in 16 bits, meant to be faster where the processor computes in them (AVX512-BF16, AMX,
    GPUs; `scatterheal doctor` measures it); the fast engine takes float32 elsewhere, on a GPU as TF32."""
    engine: Literal["reference", "fast"] = "fast"
    """reference: the training loop as the paper describes it; fast: the same to rounding, in less time."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """auto: CUDA where there is one. Not part of a run's identity: changing it reruns nothing."""

    @model_validator(mode="after")
    def _snapshots_at_checks(self) -> Fit:
        if self.snapshot_every % self.check_every:
            raise ValueError("snapshot_every must be a multiple of check_every")
        return self


AXES = tuple(name for name in Fit.model_fields if name != "device")
Method = Literal[
    "dip",
    "polar_smooth",
    "pyfai",
    "liu2017",
    "radial_mean",
    "biharmonic",
    "biharmonic_smooth",
    "telea",
    "navier_stokes",
]


class Config(Strict):
    """One run of the pipeline."""

    scans: str | Annotated[list[str], Field(min_length=1)] = "scans"
    """A folder of <scan>.yaml files, or a list of such files."""
    results: Annotated[str, Field(min_length=1)] = "results"
    """The folder that receives everything."""
    preset: Literal["paper", "scattering"] = "scattering"
    """workflow/presets/<preset>.yaml fills `grid` where it is left out, and every key of `fit` that is."""
    grid: dict[Literal[AXES], Annotated[list[Any], Field(min_length=1)]] | None = None  # type: ignore[valid-type]
    """Every combination of these values is a run; any key of `fit` but device may be an axis."""
    fit: Fit = Fit()
    """Hyperparameters that all runs share."""
    methods: Annotated[list[Method], Field(min_length=1)] = ["dip"]
    """dip: the grid's runs; any other is a run of its own, to compare with: polar_smooth, pyfai, liu2017, radial_mean,
    biharmonic, biharmonic_smooth, telea, navier_stokes."""
    search: Literal["grid", "halving"] = "grid"
    """grid: every network is trained to its end; halving: all are trained a little, and only those on that are best on
    the hidden pixels so far: at most a tenth of `iterations` times runs where the grid is large; in one job a scan."""
    runs_per_job: Annotated[int, Field(ge=1)] = 1
    """So many networks of the grid are trained in one job, on a CPU one after another, on a GPU side by side: fewer and
    longer jobs for a cluster. The results are the same, and changing it reruns nothing."""
    gpu_slots: Annotated[int, Field(ge=1)] = 1
    """So many jobs of this machine share each of its GPUs. Changing it reruns nothing."""
    folds: Annotated[int, Field(ge=1, le=16)] = 2
    """So many sets of hole-shaped hidden regions; every run is trained once without each of them, and scored on it."""
    refits: Annotated[int, Field(ge=1, le=16)] = 3
    """So many networks, each with its own seed, are fitted to all valid pixels by the best run's hyperparameters; their
    mean heals."""
    heal_with: Literal["best", "dip"] = "best"
    """best: what scores best on the hidden pixels, also where that is no network; dip: the best of the grid's runs."""

    thinning: bool = False
    """Also fit one half of every pixel's counts and look at the other one: checks overfitting, by one training more."""

    @model_validator(mode="after")
    def _some_dip(self) -> Config:
        if self.heal_with == "dip" and "dip" not in self.methods:
            raise ValueError("heal_with: dip needs dip among the methods")
        if len(set(self.methods)) < len(self.methods):
            raise ValueError("methods names one twice")
        return self


def read_config(raw: dict[str, Any], path: Path | str = "config.yaml") -> Config:
    """Validate what Snakemake read from config.yaml (and from --config), filled up by the preset.

    Parameters
    ----------
    raw : dict
        The merged configuration.
    path : path
        The file that messages name.

    Returns
    -------
    Config
        With `grid` set and every key of `fit` explicit.

    Raises
    ------
    ScanError
        One line: file, key and remedy.

    Examples
    --------
    >>> config = read_config({"fit": {"iterations": 5, "lr": 0.1}})
    >>> config.fit.snapshot_every, sorted(config.grid)
    (100, ['domain', 'start'])
    """
    config = _validated(Config, raw, path)
    given = raw.get("fit") or {}
    both = sorted(set(config.grid or {}) & set(given))
    if both:
        raise ScanError(f"{path}: fit.{both[0]}: grid has an axis {both[0]} that overrides it; remove one of the two")
    preset = yaml.safe_load((PRESETS / f"{config.preset}.yaml").read_text())
    # What is given wins over the preset: a fixed value over its axis too.
    preset_grid = {axis: values for axis, values in preset["grid"].items() if axis not in given}
    grid = preset_grid if config.grid is None else config.grid
    fit = _validated(Fit, {**preset["fit"], **given}, path, "fit")
    return config.model_copy(update={"grid": grid, "fit": fit})


def read_scan(path: Path) -> Scan:
    """Read and validate one <scan>.yaml; its relative paths become relative to the working folder.

    Parameters
    ----------
    path : Path
        The YAML file.

    Raises
    ------
    ScanError
        One line: unreadable YAML, unknown key, wrong type, missing or empty image.
    """
    try:
        raw = yaml.load(path.read_text(encoding="utf-8"), UniqueKeys)
    except OSError as error:
        raise ScanError(f"{path}: cannot be read ({error.strerror}); check the path") from error
    except UnicodeDecodeError as error:
        raise ScanError(f"{path}: not UTF-8 text at byte {error.start}; save it as UTF-8") from error
    except yaml.YAMLError as error:
        line = f" in line {error.problem_mark.line + 1}" if getattr(error, "problem_mark", None) else ""
        problem = getattr(error, "problem", None) or "syntax"
        raise ScanError(f"{path}: not valid YAML{line} ({problem}); correct it there") from error
    scan = _validated(Scan, raw if raw is not None else {}, path)
    files = {"image": scan.image, "truth": scan.truth, "poni": scan.poni, "mask.file": scan.mask.file}
    for key, file in files.items():
        if file is None:
            continue
        if not (path.parent / file).is_file():
            raise ScanError(f"{path}: {key}: there is no file {path.parent / file}; correct the name or add the file")
        if (path.parent / file).stat().st_size == 0:
            raise ScanError(f"{path}: {key}: {path.parent / file} is empty (0 bytes); copy it here again")
    mask = scan.mask.model_copy(update={"file": scan.mask.file and path.parent / scan.mask.file})
    return scan.model_copy(
        update={
            "image": path.parent / scan.image,
            "truth": scan.truth and path.parent / scan.truth,
            "poni": scan.poni and path.parent / scan.poni,
            "mask": mask,
        }
    )


def scan_files(scans: str | list[str], path: Path | str = "config.yaml") -> dict[str, Path]:
    """The YAML file of every scan, by the scan's name: the file's name without its ending.

    Parameters
    ----------
    scans : str or list of str
        A folder of <scan>.yaml files, or the files.
    path : path
        The configuration file that messages name.

    Raises
    ------
    ScanError
        The folder holds none, or two have one name.
    """
    if isinstance(scans, str):
        files = sorted([*Path(scans).glob("*.yaml"), *Path(scans).glob("*.yml")])
        if not files:
            raise ScanError(f"{path}: scans: no <scan>.yaml in the folder {scans!r}; add one or name another folder")
    else:
        files = [Path(scan) for scan in scans]
    named: dict[str, Path] = {}
    for file in files:
        # A name that paths do not like is refused with its scan, and needs one that they do until then.
        name = re.sub(r"[^A-Za-z0-9_.-]+", "_", file.stem).lstrip("_.-") or "scan"
        name += "_" * (name in RESERVED)
        if name.lower() in map(str.lower, named):
            raise ScanError(f"{path}: scans: two files are called {file.stem}; rename one")
        named[name] = file
    return named


def read_scans(files: dict[str, Path]) -> tuple[dict[str, Scan], dict[str, str]]:
    """Read every scan's YAML; a file that names several frames is as many scans.

    Parameters
    ----------
    files : dict of str to Path
        From `scan_files`.

    Returns
    -------
    scans : dict of str to Scan
        By name; frame 12 of `run7` is called ``run7_f00012`` where the YAML names several frames.
    problems : dict of str to str
        One line for every file that cannot be used, by the name that its scan would have had.
    """
    scans: dict[str, Scan] = {}
    problems: dict[str, str] = {}
    for name, file in files.items():
        if name != file.stem:
            why = "results/{} is the pipeline's own" if file.stem in RESERVED else "use only letters, digits, _ . -"
            problems[name] = f"{file}: {why.format(file.stem)}; rename the file"
            continue
        try:
            scan = read_scan(file)
        except ScanError as error:
            problems[name] = str(error)
            continue
        several = _several(scan.frame)
        for frame in [scan.frame] if several is None else several:
            own = name if several is None else f"{name}_f{frame:05d}"
            if own in scans or (own != name and own in files):
                problems[own] = f"{file}: frame: there is already a scan {own}; rename one of the files"
            else:
                scans[own] = scan.model_copy(update={"frame": frame})
    return scans, problems


def _several(frame: int | str | list[int] | None) -> list[int] | None:
    """The frames that are scans of their own, or None where it is one scan."""
    if isinstance(frame, list):
        return sorted(set(frame))
    if isinstance(frame, str) and frame != "sum":
        first, last = map(int, frame.split("-"))
        return list(range(first, last + 1))
    return None


def file_of(scan: str, files: dict[str, Path]) -> Path:
    """The YAML file behind a scan's name.

    Examples
    --------
    >>> file_of("run7_f00012", {"run7": Path("scans/run7.yaml")}).as_posix()
    'scans/run7.yaml'
    """
    return files.get(scan) or files[re.sub(r"_f\d{5,}$", "", scan)]


def check_geometry(mask: Mask, size: tuple[int, int]) -> None:
    """Refuse shapes and stripes that reach outside the cropped image.

    Parameters
    ----------
    mask : Mask
        The geometry, in pixels of the cropped image.
    size : (width, height)
        Of the cropped image, pixels.

    Raises
    ------
    ScanError
        One line with the key and the reach.

    Examples
    --------
    >>> check_geometry(Mask(holder={"circle": [5, 5, 2]}), (8, 8))
    >>> check_geometry(Mask(holder={"circle": [5, 5, 4]}), (8, 8))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    scatterheal.errors.ScanError: mask.holder: it reaches from (1, 1) to (9, 9), outside ...
    """
    width, height = size
    for part, shape in mask.shapes():
        left, top, right, bottom = shape.bounds()
        # Up to a pixel beyond the rim's centres: people write the outer edge, or the width, for the last pixel.
        if left < -1 or top < -1 or right > width or bottom > height:
            raise ScanError(
                f"mask.{part}: it reaches from ({left:g}, {top:g}) to ({right:g}, {bottom:g}), "
                f"outside the cropped image of {width} x {height} pixels; keep within 0..{width}, 0..{height}"
            )
    for part, length in (("horizontal", height), ("vertical", width)):
        lines = getattr(mask.stripes, part)
        for first, last in lines if isinstance(lines, list) else []:
            if not 0 <= first < last <= length:
                raise ScanError(f"mask.stripes.{part}: [{first}, {last}] is not within 0..{length}; correct it")


def runs_of(config: Config, path: Path | str = "config.yaml") -> dict[str, dict[str, Any]]:
    """Every combination of the grid, and every other method: the run's name and all of its hyperparameters.

    The name holds the axes alone, sorted, so that another value, another order of the axes or a new
    default leaves the names of the existing runs as they are. A method that is no network has its own name and nothing
    else.

    Raises
    ------
    ScanError
        One line for a value that its key does not take, or one that is given twice.

    Examples
    --------
    >>> config = read_config({"grid": {"lr": [0.01, 0.1], "param_noise": [False]}})
    >>> list(runs_of(config))
    ['lr-0.01_param_noise-false', 'lr-0.1_param_noise-false']
    >>> list(runs_of(read_config({"grid": {"lr": [0.01]}, "methods": ["dip", "telea"]})))
    ['lr-0.01', 'telea']
    """
    axes = sorted(config.grid or {})
    runs: dict[str, dict[str, Any]] = {}
    for values in itertools.product(*(config.grid[axis] for axis in axes)) if "dip" in config.methods else ():
        chosen = dict(zip(axes, values, strict=True))
        fit = _validated(Fit, {**config.fit.model_dump(), **chosen}, path, "grid").model_dump(exclude={"device"})
        fit = {"method": "dip", **fit}
        run = "_".join(f"{axis}-{spelled(fit[axis])}" for axis in axes) or "run"
        if run in runs:
            raise ScanError(f"{path}: grid: the run {run} comes up twice; remove the repeated value")
        runs[run] = fit
    return runs | {method: {"method": method} for method in config.methods if method != "dip"}


def spelled(value: Any) -> str:
    """A hyperparameter's value as it stands in a run's name."""
    if value is None or isinstance(value, bool):
        return str(value).lower()
    return repr(value).removesuffix(".0") if isinstance(value, float) else str(value)


def _validated(model: type[BaseModel], raw: Any, path: Path | str, under: str = "") -> Any:
    """The model, or the first problem as one line: file, key, what is wrong, what is expected."""
    try:
        return model.model_validate(_without_empty(raw, model))
    except ValidationError as error:
        problem = error.errors()[0]
    keys, holder, field = [under] if under else [], model, None
    *_, last = problem["loc"] or [None]
    for part in problem["loc"]:
        if isinstance(part, int):
            keys.append(str(part))
        elif part in holder.model_fields:
            field = holder.model_fields[part]
            keys.append(part)
            holder = _model_inside(field.annotation) or holder
        elif problem["type"] == "extra_forbidden" and part == last:
            known = ", ".join(holder.model_fields)
            raise ScanError(f"{path}: {'.'.join([*keys, str(part)])}: unknown key; remove it, or use one of: {known}")
    where = f"{path}: {'.'.join(keys)}" if keys else str(path)
    if problem["type"] == "missing":
        raise ScanError(f"{where}: missing; add it: {' '.join(field.description.split())}")
    message = problem["msg"].removeprefix("Value error, ")
    message = message[0].lower() + message[1:]
    value = problem["input"]
    given = f" (it is {value!r})" if isinstance(value, str | int | float) else ""
    expected = f"; expected: {' '.join(field.description.split())}" if field and field.description else ""
    raise ScanError(f"{where}: {message}{given}{expected}")


def _without_empty(raw: Any, model: type[BaseModel]) -> Any:
    """The same without sections (fit:, mask:, stripes:, ...) that are left empty, and with YAML's null for `none`.

    `none` is how the docs say it, and on a command line Snakemake takes `null` for a word.
    """
    if not isinstance(raw, dict):
        return raw
    fields, whole = model.model_fields, {}
    for key, value in raw.items():
        section = _model_inside(fields[key].annotation) if key in fields else None
        if value in ("none", "null") and key in fields and type(None) in get_args(fields[key].annotation):
            value = None
        if value is not None or not section:
            whole[key] = _without_empty(value, section) if section else value
    return whole


def _model_inside(annotation: Any) -> type[BaseModel] | None:
    """The model in an annotation such as ``Mask`` or ``list[Shape]``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((model for part in get_args(annotation) if (model := _model_inside(part))), None)
