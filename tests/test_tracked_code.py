"""Every rule tracks the code behind its result: a module that its code() leaves out makes an edit go unnoticed."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = {
    ".".join(path.relative_to(ROOT / "scatterheal").with_suffix("").parts): path
    for path in (ROOT / "scatterheal").rglob("*.py")
    if path.name != "__init__.py"
}
RULES = {path.name: path.read_text() for path in (ROOT / "workflow" / "rules").glob("*.smk")}
# Words, checks and the bits of files, which never change: no edit of these changes a result, only whether there is one.
UNTRACKED = {
    "errors",
    "storage",
    "pattern.pixels",
    "settings.models",
    "settings.reading",
    "settings.runs",
    "settings.validated",
    "compute.checkpoint",
    "compute.ending",
    "compute.gpus",
    "compute.limits",
    "compute.locks",
    "compute.memory",
    "compute.side_by_side",
    "dip.memory",
    "pipeline.logs",
}
# Snapshots keep the colour map that they have: a new one must not train anything.
UNTRACKED_BY = {rule: {"pictures.look", "pictures.style"} for rule in ("inpaint", "halving")}


class Module:
    """What a file defines at its top level, and what it imports of the package."""

    def __init__(self, path):
        tree = ast.parse(path.read_text())
        self.imports, self.defines, self.runs = {}, {}, []
        # Imports inside functions too.
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "scatterheal":
                inside = node.module.removeprefix("scatterheal").removeprefix(".")
                for alias in node.names:
                    whole = f"{inside}.{alias.name}".removeprefix(".")
                    if inside or whole in FILES:
                        found = (whole, None) if whole in FILES else (inside, alias.name)
                        self.imports[alias.asname or alias.name] = found
        for node in tree.body:
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
                self.defines.setdefault(node.name, []).append(node)
            elif isinstance(node, (ast.Assign, ast.AnnAssign)):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                for name in (part.id for target in targets for part in ast.walk(target) if isinstance(part, ast.Name)):
                    self.defines.setdefault(name, []).append(node)
            self.runs.append(node)

    def uses(self, nodes):
        """What these nodes name of their own module, as (None, name), and of others, as (module, name)."""
        for node in nodes:
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                module, inside = self.imports.get(node.value.id, (None, None))
                if module and inside is None:
                    yield module, node.attr
                    continue
            if isinstance(node, ast.Name):
                module, inside = self.imports.get(node.id, (None, None))
                if inside:
                    yield module, inside
                elif node.id in self.defines:
                    yield None, node.id
            for field, child in ast.iter_fields(node):
                # Types are not looked at when the code runs.
                if field not in ("annotation", "returns"):
                    children = child if isinstance(child, list) else [child]
                    yield from self.uses(part for part in children if isinstance(part, ast.AST))


PACKAGE = {name: Module(path) for name, path in FILES.items()}


def behind(rule):
    """The modules of which something runs, or is looked up, for a rule's script."""
    script, untracked = Module(ROOT / "scripts" / f"{rule}.py"), UNTRACKED | UNTRACKED_BY.get(rule, set())
    seen, todo = set(), [use for use in script.uses(script.runs) if use[0]]
    while todo:
        module, name = todo.pop()
        if module in untracked or (module, name) in seen:
            continue
        seen.add((module, name))
        found = PACKAGE[module]
        assert name in found.defines, f"{module}.{name} is neither a function nor a constant"
        todo += [(other or module, used) for other, used in found.uses(found.defines[name])]
    return {module for module, _ in seen}


def tracked():
    """What each rule gives to code(): its script's name and the modules. A rule without a name has the script's."""
    names = re.findall(r"^([A-Z]+) = (\(\n.*?\n\)|\(.*?\))$", RULES["common.smk"], re.M | re.S)
    known = {name: eval(modules) for name, modules in names}
    for text in RULES.values():
        for rule, body in re.findall(r"^ *rule ?(\w*):\n(.*?)(?=^ *rule ?\w*:|\Z)", text, re.M | re.S):
            if call := re.search(r"\bcode=(code\(.*?\)),\n", body, re.S):
                script, *modules = eval(call[1], {"code": lambda *arguments: arguments, **known})
                yield rule or re.search(r"scripts/(\w+)\.py", body)[1], script, set(modules)


@pytest.mark.parametrize(("rule", "script", "modules"), list(tracked()), ids=[rule for rule, *_ in tracked()])
def test_a_rule_tracks_every_module_behind_its_result(rule, script, modules):
    assert script == rule
    assert not behind(rule) - modules, f"add them to code() of the rule {rule}, or an edit of them redoes nothing"
    assert not modules - behind(rule), f"nothing of these runs in the rule {rule}; take them out of its code()"


def test_every_rule_with_a_result_tracks_code():
    assert {rule for rule, *_ in tracked()} == {path.stem for path in (ROOT / "scripts").glob("*.py")} - {"refuse"}
