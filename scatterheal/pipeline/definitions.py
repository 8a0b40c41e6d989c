"""What the files of a package define, and the names that each definition may come to: found in their text alone.

Nothing is imported, and nothing here knows of rules: `scatterheal.pipeline.tracking` does.
"""

from __future__ import annotations

import ast
import functools
import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

# Among a module's definitions: all that it does when it is imported.
ON_IMPORT = "<on import>"
NEVER_ON_IMPORT = ("TYPE_CHECKING", "__name__ == '__main__'")
# Functions by which a name made at run time may be anything of the room, or of the module.
ANY_OF_THE_ROOM = {"import_module", "__import__"}
ANY_OF_THE_MODULE = {"globals", "eval", "exec"}
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
DEFINITIONS = (*FUNCTIONS, ast.ClassDef)
Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
Scope = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda | Comprehension
DOTTED = re.compile(r"\w+(\.\w+)*(:\w+)?")


class Module(NamedTuple):
    """What a file says at its top level.

    Attributes
    ----------
    name : str
        With its package, such as ``scatterheal.dip.loop``.
    room : str
        The package that it lies in; of an ``__init__`` that package itself.
    imports : dict of str to set of str
        What each imported name may stand for.
    definitions : dict of str to list of statements
        By the names that they define.
    """

    name: str
    room: str
    imports: dict[str, set[str]]
    definitions: dict[str, list[ast.stmt]]


class Definition(NamedTuple):
    """What a definition says, and the full names that it may come to."""

    text: str
    uses: frozenset[str]


class Found(NamedTuple):
    """What is met on the way through a definition.

    Attributes
    ----------
    uses : set of str
        Full names that it may come to, of modules that it imports and in its strings.
    imports : dict of str to set of str
        As of a module, but its own.
    shared : set of str
        Names of the whole module that it assigns.
    """

    uses: set[str]
    imports: dict[str, set[str]]
    shared: set[str]


@functools.cache
def files_of(package: Path) -> dict[str, Path]:
    """The file of each module and room of a package, by its full name."""
    files = {}
    for path in package.rglob("*.py"):
        parts = path.relative_to(package.parent).with_suffix("").parts
        files[".".join(parts[:-1] if path.name == "__init__.py" else parts)] = path
    return files


def split(name: str, package: Path) -> tuple[str | None, str | None]:
    """The module of a full name, and what of the module it names.

    Examples
    --------
    >>> package = Path(__file__).parents[1]
    >>> split("scatterheal.polar.grid.radii.size", package), split("scatterheal.polar", package)
    (('scatterheal.polar.grid', 'radii'), ('scatterheal.polar', None))
    >>> split("numpy.float32", package)
    (None, None)
    """
    parts, files = name.split("."), files_of(package)
    for length in range(len(parts), 0, -1):
        if (module := ".".join(parts[:length])) in files:
            return module, parts[length] if length < len(parts) else None
    return None, None


def everything_in(module: str, package: Path) -> list[str]:
    """All definitions of a module, or of a room's modules."""
    found = [module_of(name, package) for name in files_of(package) if f"{name}.".startswith(f"{module}.")]
    return [f"{each.name}.{name}" for each in found for name in (*each.definitions, *each.imports)]


@functools.cache
def module_of(name: str, package: Path) -> Module:
    """A module of a package, by its full name."""
    path = files_of(package)[name]
    return read_module(path, name, name if path.name == "__init__.py" else name.rpartition(".")[0], package)


@functools.cache
def read_script(script: Path, package: Path) -> Definition:
    """A script as a whole: all of it runs."""
    return read_definition(Module("", package.name, {}, {}), ast.parse(script.read_text()).body, package)


@functools.cache
def definition_of(module: str, name: str, package: Path) -> Definition:
    """A definition of a module of a package."""
    here = module_of(module, package)
    return read_definition(here, here.definitions[name], package)


def read_module(path: Path, name: str, room: str, package: Path) -> Module:
    """Sort the top-level statements of a file by the names that they define."""
    here = Module(name, room, {}, {})
    run = []
    for node in ast.parse(path.read_text()).body:
        add_imports(here.imports, node, room)
        if isinstance(node, ast.If) and ast.unparse(node.test) in NEVER_ON_IMPORT:
            continue
        run.append(node)
        for defined in names_defined(node):
            here.definitions.setdefault(defined, []).append(node)
    here.definitions[ON_IMPORT] = [node for node in run if acts_on_import(node, here, package)]
    return here


def add_imports(imports: dict[str, set[str]], node: ast.AST, room: str) -> None:
    """Note the names that a statement imports, or one inside of a condition, and what they stand for."""
    if isinstance(node, ast.Import):
        for alias in node.names:
            name = alias.asname or alias.name.partition(".")[0]
            imports.setdefault(name, set()).add(alias.name if alias.asname else name)
    elif isinstance(node, ast.ImportFrom):
        for alias in node.names:
            imports.setdefault(alias.asname or alias.name, set()).add(f"{origin(node, room)}.{alias.name}")
    elif isinstance(node, ast.If | ast.Try | ast.ExceptHandler | ast.With):
        for part in ast.iter_child_nodes(node):
            add_imports(imports, part, room)


def origin(node: ast.ImportFrom, room: str) -> str:
    """The full name of the module that ``from module import name`` means, also where dots begin at the room."""
    parts = room.split(".")
    above = parts[: len(parts) + 1 - node.level] if node.level else []
    return ".".join([*above, *([node.module] if node.module else [])])


def names_defined(node: ast.AST) -> set[str]:
    """The names that a statement gives values to; a condition or a loop those of the statements in it."""
    if isinstance(node, DEFINITIONS):
        return {node.name}
    if isinstance(node, ast.Name):
        return {node.id} if isinstance(node.ctx, ast.Store) else set()
    return set().union(*map(names_defined, ast.iter_child_nodes(node)))


def acts_on_import(node: ast.stmt, here: Module, package: Path) -> bool:
    """Whether a top-level statement may do more than to define its names, such as to fill another module's table."""
    if is_words(node):
        return False
    if isinstance(node, DEFINITIONS):
        # A decorator, or the class that it stands on, may note it somewhere.
        called = [*node.decorator_list, *getattr(node, "bases", []), *getattr(node, "keywords", [])]
    elif isinstance(node, ast.Assign | ast.AnnAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        if any(isinstance(part, ast.Attribute | ast.Subscript) for target in targets for part in ast.walk(target)):
            return True
        called = [part.func for part in ast.walk(node) if isinstance(part, ast.Call)]
    else:
        return True
    names = {part.id for each in called for part in ast.walk(each) if isinstance(part, ast.Name)}
    inside = f"{package.name}."
    stand_for = [of for name in names for of in here.imports.get(name, ())]
    # To make a named tuple is to do nothing else.
    own = (each for name in names for each in here.definitions.get(name, ()))
    return not all(map(is_named_tuple, own)) or any(of.startswith(inside) for of in stand_for)


def is_named_tuple(node: ast.AST) -> bool:
    """Whether a statement defines a named tuple."""
    return isinstance(node, ast.ClassDef) and any(isinstance(b, ast.Name) and b.id == "NamedTuple" for b in node.bases)


def is_words(node: ast.AST) -> bool:
    """Whether a statement is a docstring, or another constant that nothing reads."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def read_definition(here: Module, body: list[ast.stmt], package: Path) -> Definition:
    """What the statements of a definition say, and the full names of what they may come to.

    The text says too what the imported names in it stand for: another import is another definition.
    """
    body = [node for node in body if not is_words(node)]
    found = Found(set(), {}, set())
    names, _ = names_in([*body], here, package, found)
    uses, imports = found.uses, found.imports
    for first, *rest in names:
        stands_for = here.imports.get(first, set()) | imports.get(first, set())
        if first in here.definitions:
            stands_for |= {f"{here.name}.{first}"}
        uses.update(".".join([name, *rest]) for name in stands_for)
        if first in ANY_OF_THE_MODULE:
            uses.add(here.name)
        if (rest or [first])[-1] in ANY_OF_THE_ROOM:
            uses.add(here.room)
    # What is imported for other functions too.
    uses.update(name for each in found.shared for name in imports.get(each, ()))
    of_imports = sorted({first for first, *_ in names} & here.imports.keys())
    said = [f"{name}: {', '.join(sorted(here.imports[name]))}" for name in of_imports]
    # The imports of a module say nothing by themselves; a script stands as it is.
    said += [ast.unparse(node) for node in body if not (here.name and isinstance(node, ast.Import | ast.ImportFrom))]
    return Definition("\n".join(said), frozenset(uses))


def names_in(todo: list[ast.AST], here: Module, package: Path, found: Found) -> tuple[set[tuple[str, ...]], set[str]]:
    """The names that these nodes look up, each with the attributes that are asked of it, and those that they assign.

    Local variables are no names of the module, whatever is imported under the same name. Docstrings are taken out.
    """
    names: set[tuple[str, ...]] = set()
    assigned: set[str] = set()
    while todo:
        node = todo.pop()
        if isinstance(node, ast.Name | ast.Attribute):
            chain: list[str] = []
            while isinstance(node, ast.Attribute):
                chain.insert(0, node.attr)
                node = node.value
            if not isinstance(node, ast.Name):
                todo.append(node)
            elif isinstance(node.ctx, ast.Load):
                names.add((node.id, *chain))
            else:
                assigned.add(node.id)
        elif isinstance(node, ast.Constant):
            if isinstance(node.value, str):
                found.uses.update(named_by(node.value, here.room, package))
        elif isinstance(node, ast.Import | ast.ImportFrom):
            add_imports(found.imports, node, here.room)
            found.uses.update(run_by(node, here.room, package))
        elif isinstance(node, ast.Global):
            found.shared.update(node.names)
            names.update((name,) for name in node.names)
        elif isinstance(node, Scope):
            outside, inside, own = sort_scope(node)
            todo += outside
            looked_up, local = names_in(inside, here, package, found)
            # A class does not hand its own names on to its methods.
            known = set() if isinstance(node, ast.ClassDef) else own | local - found.shared - found.imports.keys()
            names.update(name for name in looked_up if name[0] not in known)
        else:
            todo += ast.iter_child_nodes(node)
    return names, assigned


def sort_scope(node: Scope) -> tuple[list[ast.AST], list[ast.AST], set[str]]:
    """What a function, class or comprehension looks up outside and inside of itself, and the names of its arguments."""
    if isinstance(node, DEFINITIONS):
        node.body = [part for part in node.body if not is_words(part)] or [ast.Pass()]
    if isinstance(node, ast.ClassDef):
        body: list[ast.AST | None] = [*node.body]
        if is_named_tuple(node):
            # Nothing looks at the types of its fields, and whoever makes what is in them counts.
            body = [part.value if isinstance(part, ast.AnnAssign) else part for part in body]
        return [*node.decorator_list, *node.bases, *node.keywords], [part for part in body if part], set()
    if isinstance(node, (*FUNCTIONS, ast.Lambda)):
        own = {part.arg for part in ast.walk(node.args) if isinstance(part, ast.arg)}
        if isinstance(node, ast.Lambda):
            return [node.args], [node.body], own
        # Nothing but a decorator looks at the types of arguments.
        types = [node.args, *filter(None, [node.returns])] if node.decorator_list else []
        outside = [*node.decorator_list, *types, *node.args.defaults, *filter(None, node.args.kw_defaults)]
        return outside, [*node.body], own
    first, *others = node.generators
    results = [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]
    return [first.iter], [first.target, *first.ifs, *others, *results], set()


def run_by(node: ast.Import | ast.ImportFrom, room: str, package: Path) -> Iterator[str]:
    """What the modules do that an import statement imports, and the rooms that they lie in."""
    if isinstance(node, ast.Import):
        modules = [alias.name for alias in node.names]
    else:
        modules = [f"{origin(node, room)}.{alias.name}" for alias in node.names]
    for module in modules:
        if module.endswith(".*"):
            yield module.removesuffix(".*")
        for part in itertools.accumulate(module.split("."), "{}.{}".format):
            if part in files_of(package):
                yield f"{part}.{ON_IMPORT}"


def named_by(text: str, room: str, package: Path) -> Iterator[str]:
    """The module, or what is in it, that a string names, such as ``"scatterheal.methods.pyfai:pyfai"``."""
    if (":" in text or text.startswith(f"{package.name}.")) and DOTTED.fullmatch(text):
        module, _, name = text.partition(":")
        for known in {module, f"{package.name}.{module}", f"{room}.{module}"} & files_of(package).keys():
            yield f"{known}.{name}".rstrip(".")
