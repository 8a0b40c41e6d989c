"""A model of what a user wrote, or the first problem as one line."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

from pydantic import (
    BaseModel,
    ValidationError,
)

from scatterheal.errors import ScanError


def validated(model: type[BaseModel], raw: Any, path: Path | str, under: str = "") -> Any:
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
            holder = model_inside(field.annotation) or holder
        elif problem["type"] == "extra_forbidden" and part == last:
            known = ", ".join(holder.model_fields)
            raise ScanError(f"{path}: {'.'.join([*keys, str(part)])}: unknown key; remove it, or use one of: {known}")
    where = f"{path}: {'.'.join(keys)}" if keys else str(path)
    described = " ".join(field.description.split()) if field and field.description else ""
    if problem["type"] == "missing":
        raise ScanError(f"{where}: missing; add it: {described}")
    message = problem["msg"].removeprefix("Value error, ")
    message = message[0].lower() + message[1:]
    value = problem["input"]
    given = f" (it is {value!r})" if isinstance(value, str | int | float) else ""
    expected = f"; expected: {described}" if described else ""
    raise ScanError(f"{where}: {message}{given}{expected}")


def _without_empty(raw: Any, model: type[BaseModel]) -> Any:
    """The same without sections (fit:, mask:, stripes:, ...) that are left empty, and with YAML's null for `none`.

    `none` is how the docs say it, and on a command line Snakemake takes `null` for a word.
    """
    if not isinstance(raw, dict):
        return raw
    fields, whole = model.model_fields, {}
    for key, value in raw.items():
        section = model_inside(fields[key].annotation) if key in fields else None
        if value in ("none", "null") and key in fields and type(None) in get_args(fields[key].annotation):
            value = None
        if value is not None or not section:
            whole[key] = _without_empty(value, section) if section else value
    return whole


def model_inside(annotation: Any) -> type[BaseModel] | None:
    """The model in an annotation such as ``Mask`` or ``list[Shape]``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((model for part in get_args(annotation) if (model := model_inside(part))), None)
