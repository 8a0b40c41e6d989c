"""The code behind a rule: what a script may come to counts, and nothing else does."""

import re
from pathlib import Path

import pytest

from scatterheal.pipeline import definitions, tracking
from scatterheal.pipeline.tracking import code_behind, code_hash

ROOT = Path(__file__).parents[1]
SCRIPTS = sorted((ROOT / "scripts").glob("*.py"))


def modules_behind(rule):
    """The modules, by the names that they have in the package, of which a rule's script may come to something."""
    behind = code_behind(ROOT / "scripts" / f"{rule}.py")
    return {definitions.split(name, tracking.PACKAGE)[0].removeprefix("scatterheal.") for name in behind}


@pytest.fixture
def behind(tmp_path):
    """Write a script and a package `house` into a folder of their own, and tell what is behind the script."""
    written = []

    def tell(script, **files):
        written.append(folder := tmp_path / f"{len(written)}" / "house")
        folder.mkdir(parents=True)
        (folder / "__init__.py").touch()
        for name, text in files.items():
            path = folder.joinpath(*name.split("__")).with_suffix(".py")
            path.parent.mkdir(exist_ok=True)
            (path.parent / "__init__.py").touch()
            path.write_text(text)
        (folder.parent / "rule.py").write_text(script)
        return {name.removeprefix("house.") for name in code_behind(folder.parent / "rule.py", folder)}

    return tell


A_B = "def a():\n    return 1\n\ndef b():\n    return 2\n"


@pytest.mark.parametrize(
    "script",
    [
        "from house.room.tools import a\na()",
        "from house.room import tools\ntools.a()",
        "from house import room\nroom.tools.a()",
        "import house.room.tools\nhouse.room.tools.a()",
        "import house.room.tools as t\nt.a()",
        "def main():\n    from house.room.tools import a as c\n    return c\nmain()",
        "try:\n    from house.room.tools import a\nexcept ImportError:\n    a = None\na()",
        "TABLE = {'a': 'house.room.tools:a'}",
        "TABLE = {'a': 'room.tools:a'}",
    ],
)
def test_of_a_module_only_what_is_named_counts(behind, script):
    assert behind(script, room__tools=A_B) == {"room.tools.a"}


@pytest.mark.parametrize(
    "script",
    [
        "from house.room import tools\nprint(tools)",
        "from house.room import tools\ngetattr(tools, name)()",
        "from house.room import tools\ntools.made_on_import()",
        "from house.room.tools import *\na()",
        "from importlib import import_module\nimport_module(name).a()",
        "import importlib\nimportlib.import_module('house.room.tools').a()",
        "TOOLS = 'house.room.tools'",
    ],
)
def test_a_module_counts_as_a_whole_where_nothing_tells_what_of_it_is_used(behind, script):
    assert behind(script, room__tools=A_B) == {"room.tools.a", "room.tools.b"}


@pytest.mark.parametrize(
    ("module", "found"),
    [
        ("def a(x=b()):\n    return x", {"a", "b"}),
        ("@b\ndef a():\n    pass", {"a", "b"}),
        ("class a:\n    def method(self):\n        return b()", {"a", "b"}),
        ("class a(b):\n    pass", {"a", "b"}),
        ("a = b", {"a", "b"}),
        ("def a():\n    return [b(x) for x in c]\nc = ()", {"a", "b", "c"}),
        ("def a():\n    return globals()['b']()", {"a", "b"}),
        ("if True:\n    def a():\n        return b()", {"a", "b"}),
        ("def a(x: b) -> b:\n    return x", {"a"}),
        ("class a(NamedTuple):\n    x: b", {"a"}),
        ("class a(NamedTuple):\n    x: int = b()", {"a", "b"}),
        ("class a(Model):\n    x: b", {"a", "b"}),
    ],
)
def test_what_a_definition_names_counts_but_for_the_types_of_its_arguments(behind, module, found):
    named = behind("from house.tools import a\na()", tools=f"def b():\n    pass\n{module}\n")
    assert {name.removeprefix("tools.") for name in named} - {definitions.ON_IMPORT} == found


def test_names_are_followed_through_modules_that_only_import_them(behind):
    front = "from house.tools import a\n"
    assert behind("from house.front import a\na()", front=front, tools=A_B) == {"tools.a"}
    assert behind("from house import front\nfront.a()", front=front, tools=A_B) == {"tools.a"}
    assert behind("from house.front import a\na()", front="from .tools import a\n", tools=A_B) == {"tools.a"}


@pytest.mark.parametrize(
    "fills",
    [
        "table.TABLE['new'] = one",
        "table.TABLE.update(new=one)",
        "for name in ('new',):\n    table.TABLE[name] = one",
        "@table.note\ndef two():\n    return one()",
        "class Two(table.Base):\n    method = one",
        "_ = table.note(one)",
    ],
)
def test_what_fills_a_table_on_import_counts_wherever_it_is_imported(behind, fills):
    files = {
        "table": "TABLE = {}\n\ndef note(f):\n    TABLE[f.__name__] = f\n    return f\n\nclass Base:\n    pass\n",
        "one": f"from house import table\n\ndef one():\n    return 1\n\ndef unused():\n    pass\n\n{fills}\n",
    }
    named = behind("import house.one\nfrom house.table import TABLE\nTABLE['new']()", **files)
    assert {"table.TABLE", "one.one"} <= named and "one.unused" not in named
    assert "one.one" not in behind("from house.table import TABLE\nTABLE['new']()", **files)


def test_a_registry_of_functions_that_are_imported_when_they_are_called_counts_with_all_of_them(behind):
    registry = (
        "from importlib import import_module\n\nMETHODS = {'telea': 'house.methods.opencv:telea'}\n\n"
        "def heal(name):\n    module, name = METHODS[name].split(':')\n"
        "    return getattr(import_module(module), name)()\n"
    )
    opencv = "def telea():\n    return tools.a()\n\nfrom house import tools\n"
    named = behind(
        "from house.registry import heal\nheal('telea')", registry=registry, methods__opencv=opencv, tools=A_B
    )
    assert {"registry.heal", "registry.METHODS", "methods.opencv.telea", "tools.a"} <= named


def hash_of(folder, **files):
    """The hash of a script that calls house.tools.a, with these files."""
    for cached in (
        code_hash,
        definitions.read_script,
        definitions.files_of,
        definitions.module_of,
        definitions.definition_of,
    ):
        cached.cache_clear()
    (folder / "house").mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / "house" / f"{name}.py").write_text(text)
    (folder / "rule.py").write_text("from house.tools import a\na()")
    return code_hash(folder / "rule.py", folder / "house")


BEFORE = (
    'from math import sin\n\ndef a():\n    """Sine."""\n    return sin(LIMIT)\n\nLIMIT = 3\n\ndef other():\n    pass\n'
)


@pytest.mark.parametrize(("old", "new"), [("Sine", "The sine"), ("LIMIT = 3", "LIMIT = 3  # pi"), ("other", "another")])
def test_words_and_what_is_not_used_leave_the_hash_as_it_is(tmp_path, old, new):
    assert old in BEFORE
    assert hash_of(tmp_path, tools=BEFORE) == hash_of(tmp_path, tools=BEFORE.replace(old, new))


@pytest.mark.parametrize(
    ("old", "new"),
    [("sin(", "-sin("), ("LIMIT = 3", "LIMIT = 4"), ("import sin", "import cos as sin"), ("= 3", "= 3\nLIMIT += 1")],
)
def test_a_definition_that_is_used_changes_the_hash(tmp_path, old, new):
    assert old in BEFORE
    assert hash_of(tmp_path, tools=BEFORE) != hash_of(tmp_path, tools=BEFORE.replace(old, new))


@pytest.mark.parametrize(
    ("rule", "tracked", "untracked"),
    [
        (
            "inpaint",
            {"dip.loop", "dip.fast", "polar.canvas", "validation.stopping", "compute.devices"},
            {"methods.pyfai", "pattern.pixels"},
        ),
        ("rank", {"validation.rank"}, {"dip.loop"}),
        ("baseline", {"methods.liu2017", "methods.opencv", "methods.pyfai"}, {"dip.network", "pattern.pixels"}),
        ("mask", {"mask.beamstop", "polar.centre", "reading.detectors"}, {"validation.holdout", "dip.loop"}),
        ("mask_overlay", {"pictures.mask_overlay", "pictures.style", "pattern.pixels"}, {"mask.beamstop"}),
    ],
)
def test_a_rule_tracks_the_code_behind_its_result(rule, tracked, untracked):
    modules = modules_behind(rule)
    assert tracked <= modules and not untracked & modules
    if rule == "inpaint":
        assert not {module for module in modules if module.startswith("pictures")}


@pytest.mark.parametrize("script", SCRIPTS, ids=[path.stem for path in SCRIPTS])
def test_every_script_names_what_there_is_in_the_package(script):
    """A name that is not found makes its module count as a whole, and every edit there rerun the rule."""
    todo, seen = [*definitions.read_script(script, tracking.PACKAGE).uses], set()
    while todo:
        module, name = definitions.split(todo.pop(), tracking.PACKAGE)
        if module and (module, name) not in seen:
            seen.add((module, name))
            here = definitions.module_of(module, tracking.PACKAGE)
            assert name in here.definitions or name in here.imports, f"{module}.{name}"
            if name in here.definitions:
                todo += definitions.definition_of(module, name, tracking.PACKAGE).uses


def test_what_is_not_tracked_exists():
    for name in (*tracking.UNTRACKED, *(name for names in tracking.UNTRACKED_BY.values() for name in names)):
        module, rest = definitions.split(name, tracking.PACKAGE)
        assert rest is None or rest in definitions.module_of(module, tracking.PACKAGE).definitions, name
    assert set(tracking.UNTRACKED_BY) <= {path.stem for path in SCRIPTS}


def test_every_rule_with_a_result_tracks_the_code_of_its_own_script():
    rules = "".join(path.read_text() for path in (ROOT / "workflow" / "rules").glob("*.smk"))
    pairs = re.findall(r'code=code\("(\w+)"\),\n *script:\n *"../../scripts/(\w+)\.py"', rules)
    assert all(tracked == run for tracked, run in pairs)
    assert {run for _, run in pairs} == {path.stem for path in SCRIPTS} - {"refuse"}
