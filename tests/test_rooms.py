"""The rooms of the package: who may know whom, and what may be imported where."""

import ast
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from importlib.util import resolve_name
from pathlib import Path
from typing import NamedTuple

import pytest

PACKAGE = Path(__file__).parents[1] / "scatterheal"
# Top to bottom: a room knows only those on lower lines. The root of the package hands on what api has.
LINES = [
    {"__main__"},
    {"app"},
    {"__init__"},
    {"api"},
    {"pipeline"},
    {"dip", "mask", "pictures"},
    {"validation", "methods", "physics", "reading", "compute"},
    {"polar", "counts", "settings", "storage"},
    {"pattern"},
    {"errors", "version"},
]
LINE_OF = {room: line for line, rooms in enumerate(LINES) for room in rooms}
# How an import comes about: for types alone, when a function is called, with the module.
TYPES, LAZILY, ALWAYS = range(3)
# Packages that not every room may import, and how the others may: rooms, or single modules.
MAY_IMPORT = {
    "torch": {
        "dip": ALWAYS,
        "compute": ALWAYS,
        # They hand on a device.
        "pipeline": TYPES,
        "api": TYPES,
        # It tries whether torch works here.
        "app.doctor": LAZILY,
    },
    # Named colour maps are matplotlib's.
    "matplotlib": {"pictures": ALWAYS, "app": ALWAYS, "reading.colour_maps": LAZILY},
    "pydantic": {"settings": ALWAYS},
    "snakemake": {},
}
# Public, although they begin with an underscore.
OF_NAMED_TUPLES = {"_asdict", "_field_defaults", "_fields", "_make", "_replace"}


class Import(NamedTuple):
    module: str
    name: str | None
    how: int


def imports_of(node, package, how=ALWAYS):
    """Every import below a node, in the order of the file."""
    if isinstance(node, ast.Import):
        yield from (Import(alias.name, None, how) for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        module = resolve_name("." * node.level + (node.module or ""), package)
        yield from (Import(module, alias.name, how) for alias in node.names)
    elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
        for statement in node.body:
            yield from imports_of(statement, package, TYPES)
        for statement in node.orelse:
            yield from imports_of(statement, package, how)
    else:
        inside = min(how, LAZILY) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) else how
        for child in ast.iter_child_nodes(node):
            yield from imports_of(child, package, inside)


def is_private(name):
    return name.startswith("_") and not name.startswith("__") and name not in OF_NAMED_TUPLES


def breaches(package):
    """What is against the rules in a package, a line each."""
    files = {".".join(path.relative_to(package).with_suffix("").parts): path for path in package.rglob("*.py")}
    found, knows = [], {}
    for module, path in files.items():
        tree, room = ast.parse(path.read_text()), module.partition(".")[0]
        if module.endswith(".__init__") and (len(tree.body) != 1 or ast.get_docstring(tree) is None):
            found.append(f"{module} is more than a docstring")
        if room not in LINE_OF:
            found.append(f"{room} has no line")
            continue
        inside = [package.name, *module.split(".")[:-1]]
        knows[module] = set()
        for told in imports_of(tree, ".".join(inside)):
            top, _, rest = told.module.partition(".")
            if told.name and is_private(told.name):
                found.append(f"{module} imports {told.name} of {told.module}")
            if top != package.name:
                allowed = MAY_IMPORT.get(top, {room: ALWAYS})
                if told.how > max(allowed.get(room, -1), allowed.get(module, -1)):
                    found.append(f"{module} imports {top}")
                continue
            tried = [f"{rest}.{told.name}".removeprefix("."), rest, f"{rest}.__init__", "__init__"]
            target = next(name for name in tried if name in files)
            knows[module].add(target)
            other = target.partition(".")[0]
            if other != room and LINE_OF.get(other, -1) <= LINE_OF[room]:
                found.append(f"{module} knows {target}")
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and is_private(node.attr):
                owner = ast.unparse(node.value)
                if owner not in ("self", "cls"):
                    found.append(f"{module} uses {owner}.{node.attr}")
    try:
        TopologicalSorter(knows).prepare()
    except CycleError as error:
        found.append(f"a circle: {' -> '.join(error.args[1])}")
    return found


def test_no_module_breaks_a_rule_of_the_rooms():
    assert breaches(PACKAGE) == []


HOUSE = {
    "__init__": "from house.version import __version__\ndef heal():\n    from house import api",
    "version": "__version__ = '1'",
    "__main__": "from house.app.commands import main",
    "errors": "class ScanError(Exception):\n    pass",
    "api": "from house.version import __version__\nif TYPE_CHECKING:\n    import torch",
    "app.__init__": '"""What runs."""',
    "app.commands": "import house\nfrom house import api\nfrom matplotlib.path import Path\ndef main():\n    pass",
    "dip.__init__": '"""The prior."""',
    "dip.loop": "import torch\nfrom house.dip.losses import poisson",
    "dip.losses": "from house.errors import ScanError\ndef poisson():\n    return _floor()\ndef _floor():\n    pass",
    "mask.__init__": '"""What is missing."""',
    "mask.shapes": "from house.pattern import units\ndef shape(part):\n    return part._replace(x=1)",
    "pattern.__init__": '"""What is healed."""',
    "pattern.units": "class Unit:\n    def told(self):\n        return self._told",
    "reading.__init__": '"""Files."""',
    "reading.colour_maps": "def named():\n    import matplotlib\n    return matplotlib.colormaps",
}


@pytest.mark.parametrize(
    ("module", "text", "breach"),
    [
        ("mask.shapes", "", None),
        ("pattern.units", "from house.dip.loop import fit", "pattern.units knows dip.loop"),
        ("pattern.units", "from house.dip import loop", "pattern.units knows dip.loop"),
        ("pattern.units", "import house.dip.loop", "pattern.units knows dip.loop"),
        ("pattern.units", "from ..dip import loop", "pattern.units knows dip.loop"),
        ("pattern.units", "def late():\n    from house.dip import loop", "pattern.units knows dip.loop"),
        ("pattern.units", "if TYPE_CHECKING:\n    from house.dip import loop", "pattern.units knows dip.loop"),
        ("pattern.units", "from house import heal", "pattern.units knows __init__"),
        ("pattern.units", "from house import __version__", "pattern.units knows __init__"),
        ("mask.shapes", "from house.dip import losses", "mask.shapes knows dip.losses"),
        ("attic.box", "", "attic has no line"),
        ("mask.shapes", "import torch.nn", "mask.shapes imports torch"),
        ("mask.shapes", "def late():\n    import torch", "mask.shapes imports torch"),
        ("mask.shapes", "if TYPE_CHECKING:\n    import torch", "mask.shapes imports torch"),
        ("api", "def late():\n    import torch", "api imports torch"),
        ("reading.colour_maps", "import matplotlib", "reading.colour_maps imports matplotlib"),
        ("mask.shapes", "from pydantic import BaseModel", "mask.shapes imports pydantic"),
        ("app.commands", "from snakemake.api import SnakemakeApi", "app.commands imports snakemake"),
        ("dip.loop", "from house.dip.losses import _floor", "dip.loop imports _floor of house.dip.losses"),
        ("dip.loop", "from house.dip import losses\nlosses._floor()", "dip.loop uses losses._floor"),
        ("dip.__init__", '"""The prior."""\nfrom house.dip.loop import fit', "dip.__init__ is more than a docstring"),
        ("dip.__init__", "", "dip.__init__ is more than a docstring"),
        ("dip.losses", "def late():\n    from house.dip import loop", "a circle: dip.loop -> dip.losses -> dip.loop"),
    ],
)
def test_each_rule_bites(tmp_path, module, text, breach):
    for name, written in {**HOUSE, module: text}.items():
        path = (tmp_path / "house").joinpath(*name.split(".")).with_suffix(".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(written)
    assert breaches(tmp_path / "house") == ([breach] if breach else [])


def test_importing_the_root_the_api_and_the_settings_imports_nothing_that_is_slow():
    names = ["scatterheal", "scatterheal.api"]
    names += [f"scatterheal.settings.{path.stem}" for path in (PACKAGE / "settings").glob("[!_]*.py")]
    told = f"import sys, {', '.join(names)}\nprint(sorted({{'torch', 'matplotlib'}} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True).stdout == "[]\n"
