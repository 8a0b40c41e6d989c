"""What is generated from the models of the two YAML files: JSON schemas and docs/configuration.md.

``python -m scatterheal.settings.reference`` writes them; a test fails where they are out of date.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel

from scatterheal.settings.models import Colour, Config, Fit, Mask, Scan, Shape, Stripes
from scatterheal.settings.reading import PRESETS

# The checkout, where the files are written.
ROOT = Path(__file__).resolve().parents[2]

PAGES: dict[str, tuple[type[BaseModel], str]] = {
    "config.yaml": (Config, "One run of the pipeline."),
    "config.yaml, `fit`": (
        Fit,
        "Hyperparameters; any of them but `device` may be an axis of `grid`, as where a preset has several values.",
    ),
    "<scan>.yaml": (Scan, "One scan."),
    "<scan>.yaml, `mask`": (Mask, "What is missing; the parts are multiplied, 1 = keep, 0 = missing."),
    "A shape": (
        Shape,
        "`beamstop`, `holder`, `outside`, `unmeasured`, `user` and `keep` take one shape or a list of them.",
    ),
    "<scan>.yaml, `mask.stripes`": (Stripes, "Dark bars across the whole image."),
    "<scan>.yaml, `colour`": (Colour, "What the colours of a figure mean."),
}
INTRODUCTION = """# Configuration

Every key of `config.yaml` and of a scan's YAML. Unknown keys and wrong values are refused, in one line
that names the file, the key and what to do. Coordinates are pixels of the cropped image
(`results/<scan>/cropped.png`) at the file's own resolution: x to the right, y down, pixel centres at
integers. Editors that know YAML schemas complete and check both files.

This page is generated from `scatterheal/settings/models.py` by `python -m scatterheal.settings.reference`.
"""


def files() -> dict[str, str]:
    """The text of every generated file, by its path in the repository."""
    schemas = {
        f"scatterheal/settings/schemas/{name}.schema.json": json.dumps(model.model_json_schema(), indent=2) + "\n"
        for name, model in (("config", Config), ("scan", Scan))
    }
    tables = "".join(f"\n## {title}\n\n{words}\n\n{_table(model)}" for title, (model, words) in PAGES.items())
    return {**schemas, "docs/configuration.md": INTRODUCTION + tables}


def _table(model: type[BaseModel]) -> str:
    """The keys of one model as a Markdown table; of hyperparameters what each preset makes of them."""
    columns: dict[str, dict[str, Any]] = {"default": {}}
    if model is Fit:
        paths = {name: PRESETS / f"{name}.yaml" for name in ("scattering", "paper")}
        presets = {name: yaml.safe_load(path.read_text(encoding="utf-8")) for name, path in paths.items()}
        columns = {f"`preset: {name}`": {**preset["fit"], **preset["grid"]} for name, preset in presets.items()}
    lines = [f"| key | {' | '.join(columns)} | meaning |", "|---" * (len(columns) + 2) + "|"]
    for key, field in model.model_fields.items():
        default = (
            ["required"]
            if field.is_required()
            else [f"`{_shown(given.get(key, field.default))}`" for given in columns.values()]
        )
        cells = [f"`{key}`", *default, " ".join((field.description or "").split()).replace("|", "or")]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _shown(default: Any) -> str:
    """A default as one would write it in YAML."""
    return "{}" if isinstance(default, BaseModel) else json.dumps(default).strip('"')


if __name__ == "__main__":
    for path, text in files().items():
        (ROOT / path).write_text(text, encoding="utf-8")
