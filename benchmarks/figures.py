"""The real figures, healed by the pipeline: beside the report's best results, and what the hidden pixels say.

python benchmarks/figures.py FOLDER [--scans NAME ...] [--config KEY=VALUE ...] [--cores N]

Runs the pipeline with benchmarks/figures.yaml into FOLDER (what is there already is kept) and draws
FOLDER/<scan>_side_by_side.png: the scan in its own colours; the report's best result, where it has one, at its place in
the scan (its margins were cropped away); ours, with the scan's own pixels where they are valid; the same with counts
drawn at random from the model in the holes, for the eye alone, which stops at the edge between noise and none; and the
model itself, the expected intensity of all pixels. Below each the surroundings of the beam, enlarged. FOLDER lies
outside of the repository, since the figures, and pictures made from them, are never committed.
"""

import argparse
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import yaml
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from scatterheal import storage
from scatterheal.pattern.found import Found
from scatterheal.pattern.meaning import Meaning
from scatterheal.pictures.look import UNKNOWN, as_counted, look_of, render
from scatterheal.reading.bitmaps import Rgb
from scatterheal.settings.reference import ROOT

CONFIG = ROOT / "benchmarks" / "figures.yaml"
PAPER = ROOT.parent / "shared" / "scans" / "paper_inputs"
# Of the shorter side of the scan: half of a close-up's side.
CLOSE = 1 / 7
# Pixels beside a panel and above it, for its title.
BESIDE, ABOVE = 12, 60
DOTS_PER_INCH = 100


def enlarged(best: Rgb, cropped: Rgb, shape: tuple[int, int]) -> Rgb:
    """The report's result at its place in the scan; grey where its code cropped the image to multiples of 64.

    `cropped` is the report's picture of the whole plot area, from whose middle the result was cut.
    """
    index, inside = [], []
    for length, whole, part in zip(shape, cropped.shape[:2], best.shape[:2], strict=True):
        place = ((np.arange(length) + 0.5) * whole / length).astype(int) - (whole - part) // 2
        index.append(place.clip(0, part - 1))
        inside.append(place == index[-1])
    return np.where(np.logical_and.outer(*inside)[..., None], best[np.ix_(*index)], UNKNOWN)


def panels_of(folder: Path, name: str) -> list[tuple[str, Rgb]]:
    """Titles and pictures of one scan, all of one size."""
    scan, healed = (storage.read_png(folder / f"{shown}.png") for shown in ("cropped", "healed"))
    meaning = Meaning.from_json(storage.read_json(folder / "intensity.json"))
    look = look_of(storage.read_tiff(folder / "intensity.tif"), meaning)
    model, missing = storage.read_tiff(folder / "model.tif"), storage.read_tiff(folder / "reasons.tif") > 0
    panels = [("scan", scan)]
    if (PAPER / f"{name}_paper_best.png").is_file():
        best, cropped = (storage.read_png(PAPER / f"{name}{kind}.png") for kind in ("_paper_best", ""))
        panels.append(("the report's best", enlarged(best, cropped, scan.shape[:2])))
    run = storage.read_json(folder / "chosen.json")["run"]
    panels.append((f"healed ({run})", healed))
    if meaning.unit == "counts":
        drawn = as_counted(healed, storage.read_tiff(folder / "healed.tif"), missing, look)
        panels.append(("counts drawn in the holes", drawn))
    return [*panels, ("the model", render(model, look))]


def side_by_side(path: Path, panels: list[tuple[str, Rgb]], centre: tuple[float, float]) -> None:
    """Draw the panels, one pixel of the scan to a pixel, and their surroundings of the beam below."""
    height, width = panels[0][1].shape[:2]
    half = int(CLOSE * min(height, width))
    left, top = (int(np.clip(round(c) - half, 0, n - 2 * half)) for c, n in zip(centre, (width, height), strict=True))
    close = np.s_[top : top + 2 * half, left : left + 2 * half]
    size = (len(panels) * (width + BESIDE) + BESIDE, ABOVE + height + BESIDE + width + BESIDE)
    figure = Figure(figsize=(size[0] / DOTS_PER_INCH, size[1] / DOTS_PER_INCH), dpi=DOTS_PER_INCH)
    FigureCanvasAgg(figure)
    for number, (title, picture) in enumerate(panels):
        x = BESIDE + number * (width + BESIDE)
        above = figure.add_axes((x / size[0], 1 - (ABOVE + height) / size[1], width / size[0], height / size[1]))
        below = figure.add_axes((x / size[0], BESIDE / size[1], width / size[0], width / size[1]))
        above.set_title(title, fontsize=20)
        for axes, shown in ((above, picture), (below, picture[close])):
            axes.imshow(shown, interpolation="nearest")
            axes.set_axis_off()
    figure.savefig(path)


def scores_tables(rankings: dict[str, pd.DataFrame], chosen: dict[str, str]) -> None:
    """Print what the hidden pixels say: every method's score, then more of what heals."""
    methods = list(dict.fromkeys(method for ranking in rankings.values() for method in sorted(ranking.method)))
    print("Score of the hidden pixels (deviance of censored counts; of the network its best run), lower is better\n")
    print(f"| scan | {' | '.join(methods)} |\n|---|{'---|' * len(methods)}")
    for name, ranking in rankings.items():
        best = ranking[~ranking.collapsed].groupby("method").score.min()
        cells = [
            "collapsed" if m not in best else f"**{best[m]:.4f}**" if best[m] == best.min() else f"{best[m]:.4f}"
            for m in methods
        ]
        print(f"| {name} | {' | '.join(cells)} |")
    print("\n| scan | healed by | iterations | score | its standard error | hidden over known ratio | block z |")
    print("|---|---|---|---|---|---|---|")
    for name, ranking in rankings.items():
        row = ranking.set_index("run").loc[chosen[name]]
        print(
            f"| {name} | {chosen[name]} | {row.get('iterations', np.nan):.0f} | {row.score:.4f} "
            f"| {row.score_error:.4f} | {row.get('relative', np.nan):.4f} | {row.get('block_z', np.nan):.3f} |"
        )


def main() -> None:
    """Heal, draw and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    files = {Path(file).stem: file for file in yaml.safe_load(CONFIG.read_text())["scans"]}
    parser.add_argument("--scans", nargs="*", default=list(files), choices=files, metavar="NAME")
    parser.add_argument("--config", nargs="*", default=[], metavar="KEY=VALUE", help="as snakemake takes it")
    parser.add_argument("--cores", default="all")
    asked = parser.parse_args()
    folder = asked.folder.resolve()
    if folder.is_relative_to(ROOT):
        parser.error(f"{asked.folder} is in the repository; name a folder outside of it")
    settings = [f"results={folder}", f"scans={[files[name] for name in asked.scans]}", *asked.config]
    command = [sys.executable, "-m", "snakemake", "--cores", asked.cores, "--configfile", str(CONFIG)]
    subprocess.run([*command, "--config", *settings], cwd=ROOT, check=True)
    for name in asked.scans:
        centre = Found.from_json(storage.read_json(folder / name / "found.json")).beam_centre
        side_by_side(folder / f"{name}_side_by_side.png", panels_of(folder / name, name), centre)
    scores_tables(
        {name: pd.read_csv(folder / name / "ranking.csv") for name in asked.scans},
        {name: storage.read_json(folder / name / "chosen.json")["run"] for name in asked.scans},
    )


if __name__ == "__main__":
    main()
