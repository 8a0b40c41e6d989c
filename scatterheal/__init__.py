"""scatterheal: heal X-ray scattering images with the Deep Image Prior.

>>> import scatterheal
>>> healed = scatterheal.heal(counts)  # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scatterheal.version import __version__

if TYPE_CHECKING:
    from scatterheal.api import Frame, Healed, find_mask, heal, read_frame
    from scatterheal.errors import ScanError

__all__ = ["Frame", "Healed", "ScanError", "__version__", "find_mask", "heal", "read_frame"]


def __getattr__(name: str) -> Any:
    """What the front door offers, imported when somebody asks for it: the workflow's jobs need little of it."""
    if name in __all__:
        from scatterheal import api, errors

        return getattr(errors if name == "ScanError" else api, name)
    raise AttributeError(f"module 'scatterheal' has no attribute {name!r}")


def __dir__() -> list[str]:
    return list(__all__)
