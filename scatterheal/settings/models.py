"""What config.yaml and <scan>.yaml may hold.

Every key of the two files is a field below; the JSON schemas for editors and docs/configuration.md are
generated from these models (``python -m scatterheal.settings.reference``).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    model_validator,
)

from scatterheal.pattern.pixels import REASONS
from scatterheal.settings.methods import BASELINES

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
        assert self.polygon, "exactly one of the three is given"
        xs, ys = zip(*self.polygon, strict=True)
        return min(xs), min(ys), max(xs), max(ys)


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
    unmeasured: ShapesOrAuto = ["auto"]
    """What no pixel measured and the file gives as zeros (corners beside a round plate, dead modules, what a map leaves
    empty): auto, shapes, or none."""
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
        parts = (*(reason.name for reason in REASONS if reason.drawn), "keep")
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
        if frames_of(self.frame) == []:
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
Method = Literal[("dip", *BASELINES)]  # type: ignore[valid-type]


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
    methods: list[Method] = Field(
        ["dip"],
        min_length=1,
        description=f"dip: the grid's runs; any other is a run of its own, to compare with: {', '.join(BASELINES)}.",
    )
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


def frames_of(frame: int | str | list[int] | None) -> list[int] | None:
    """The frames that are scans of their own, or None where it is one scan."""
    if isinstance(frame, list):
        return sorted(set(frame))
    if isinstance(frame, str) and frame != "sum":
        first, last = map(int, frame.split("-"))
        return list(range(first, last + 1))
    return None
