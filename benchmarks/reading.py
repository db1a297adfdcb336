"""What somebody reads who adds a method, a metric, a data format or an engine; the package's size.

    python benchmarks/reading.py [--at REV] [--write]    --write: the tables go into docs/design.md

Counted are whole files, by the same rule on every commit:

1. the file of a thing of that kind that is there already, which the reader copies: where LoRA,
   PromptTuning, Accuracy, ALPACA, JsonNgrams and the models of an engine are defined; for an
   engine's folder, all of its files;
2. the files of the base classes of what is defined there, and of their bases, up to the contract;
3. the files of what 1 takes from nshot to run, one step far: names in annotations do not count;
4. for a metric, a format, an engine and an export, the table in which it is entered (a method needs
   no table); for an engine and an export the contract too, which it does not inherit.

Not counted is the ground, which one reads once for everything: `core`, and the rows of a table.
"""

from __future__ import annotations

import argparse
import ast
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from table import ROOT, checkout, line, write

BEFORE = "a15ce34"
"""The commit before issue 11."""
PAGE = ROOT / "docs" / "design.md"
GROUND = ("core", "types", "errors", "files", "data.table", "data.tables")
LONG_FUNCTION, LONG_FILE = 40, 400


@dataclass(frozen=True)
class Module:
    """A file of the package: its name without `nshot.`, its text and tree."""

    name: str
    path: Path

    @cached_property
    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    @property
    def lines(self) -> int:
        return len(self.text.splitlines())

    @cached_property
    def defines(self) -> frozenset[str]:
        """Classes, functions and values at its top."""
        names: set[str] = set()
        for node in self.tree.body:
            if isinstance(node, ast.ClassDef | ast.FunctionDef):
                names.add(node.name)
            elif isinstance(node, ast.Assign | ast.AnnAssign):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                names |= {target.id for target in targets if isinstance(target, ast.Name)}
        return frozenset(names)

    @cached_property
    def imports(self) -> dict[str, tuple[str, str]]:
        """Name here -> (module without `nshot.`, name there), of the package's own."""
        taken: dict[str, tuple[str, str]] = {}
        for node in ast.walk(self.tree):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("nshot"):
                origin = (node.module or "").removeprefix("nshot").removeprefix(".")
                for alias in node.names:
                    taken[alias.asname or alias.name] = (origin, alias.name)
        return taken

    def class_named(self, name: str) -> ast.ClassDef | None:
        """The class at its top."""
        return next(
            (n for n in self.tree.body if isinstance(n, ast.ClassDef) and n.name == name), None
        )


class Package:
    """nshot as it lies in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.modules = {m.name: m for m in self._modules()}

    def _modules(self) -> Iterator[Module]:
        for path in sorted(self.folder.rglob("*.py")):
            parts = path.relative_to(self.folder).with_suffix("").parts
            yield Module(".".join(parts[:-1] if parts[-1] == "__init__" else parts), path)

    def defining(self, name: str, room: str) -> Module:
        """The module in `room` at whose top `name` is defined."""
        for module in self.modules.values():
            if module.name.startswith(room) and name in module.defines:
                return module
        raise SystemExit(f"reading.py: nothing in {room} defines {name} any more: name another")

    def origin(self, module: Module, name: str) -> tuple[Module, str] | None:
        """Where a name that a module uses is defined, through packages that pass it on."""
        if name in module.defines:
            return module, name
        if name not in module.imports:
            return None
        place, there = module.imports[name]
        if inner := self.modules.get(f"{place}.{there}".strip(".")):
            return inner, ""
        return self.origin(self.modules[place], there) if place in self.modules else None

    def bases(self, module: Module) -> set[Module]:
        """The modules of the bases of all classes of a module, transitively."""
        waiting = [(module, node) for node in module.tree.body if isinstance(node, ast.ClassDef)]
        reached: set[Module] = set()
        while waiting:
            here, node = waiting.pop()
            for base in (name for b in node.bases for name in names_in(b)):
                origin = self.origin(here, base)
                if origin and (there := origin[0].class_named(origin[1])):
                    if origin[0] not in reached | {module}:
                        reached.add(origin[0])
                    waiting.append((origin[0], there))
        return reached

    def helpers(self, module: Module) -> set[Module]:
        """The modules of the names that a module takes from elsewhere and uses as it runs."""
        used = names_in(without_annotations(module.tree))
        origins = (self.origin(module, name) for name in used if name in module.imports)
        return {origin[0] for origin in origins if origin}


def names_in(tree: ast.AST) -> set[str]:
    """All names that an expression or a module reads."""
    return {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)}


def without_annotations(tree: ast.Module) -> ast.Module:
    """The module without types of arguments, of results and of fields."""

    class Strip(ast.NodeTransformer):
        def visit_arg(self, node: ast.arg) -> ast.arg:
            return ast.arg(node.arg)

        def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
            node.returns = None
            return self.generic_visit(node)

        def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST | None:
            if node.value is None:
                return None
            return self.generic_visit(ast.Assign([node.target], node.value, lineno=node.lineno))

    return Strip().visit(ast.parse(ast.unparse(tree)))


@dataclass(frozen=True)
class Kind:
    """What is added: what the reader copies, and the table and contract that it takes besides."""

    adds: str
    room: str
    names: tuple[str, ...]
    besides: tuple[tuple[str, str], ...] = ()
    """(name, room) of what is defined in the files to read besides."""
    folder: bool = False
    """The thing is all of its folder, where that is its own."""


_ENGINE = (("ENGINES", "models"), ("Models", "models.base"), ("LanguageModel", "models.base"))
_EXPORT = (("EXPORTS", "use.export"), ("Export", "use.export.base"))
KINDS = (
    Kind("a PEFT method (LoRA)", "methods", ("LoRA",)),
    Kind("a soft prompt (prompt tuning)", "methods", ("PromptTuning",)),
    Kind("a metric (accuracy)", "metrics", ("Accuracy",), (("METRICS", "metrics"),)),
    Kind("a data format (Alpaca)", "data.formats", ("ALPACA",), (("FORMATS", "data.formats"),)),
    Kind("an engine (fake)", "models", ("FakeModels",), _ENGINE, folder=True),
    Kind("an engine (OpenAI's protocol)", "models", ("RemoteModels",), _ENGINE, folder=True),
    Kind("an export (JSON n-grams)", "use.export", ("JsonNgrams",), _EXPORT),
)


def files(package: Package, kind: Kind) -> list[Module]:
    """The files to read."""
    own = {package.defining(name, kind.room) for name in kind.names}
    if kind.folder:
        own |= {m for one in own for m in package.modules.values() if _beside(package, one, m)}
    reached = set(own)
    for module in own:
        reached |= package.bases(module) | package.helpers(module)
    for name, room in kind.besides:
        reached.add(package.defining(name, room))
    return sorted((m for m in reached if not _ground(m)), key=lambda m: m.name)


def _beside(package: Package, one: Module, other: Module) -> bool:
    """Both in a folder of their own engine, which is not the room itself."""
    room = package.folder / "models"
    return one.path.parent == other.path.parent != room and bool(other.tree.body[1:])


def _ground(module: Module) -> bool:
    return any(module.name == g or module.name.startswith(f"{g}.") for g in GROUND)


def reading(package: Package) -> dict[str, list[Module]]:
    """What is added -> the files to read; none where there is no room for it yet."""
    rooms = {kind.room for kind in KINDS if kind.room in package.modules}
    return {kind.adds: files(package, kind) if kind.room in rooms else [] for kind in KINDS}


def size(package: Package) -> dict[str, int]:
    """Lines of all files of the package, and what the house rules count."""
    modules = list(package.modules.values())
    every = [
        path
        for path in package.folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".pyc"
    ]
    functions = [
        node
        for module in modules
        for node in ast.walk(module.tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    return {
        "lines": sum(path.read_bytes().count(b"\n") for path in every),
        "lines of Python": sum(module.lines for module in modules),
        "files of Python": len(modules),
        "the word `Any`": sum(_count_any(module.text) for module in modules),
        f"functions over {LONG_FUNCTION} lines": sum(
            (node.end_lineno or node.lineno) - node.lineno + 1 > LONG_FUNCTION for node in functions
        ),
        f"files over {LONG_FILE} lines": sum(module.lines > LONG_FILE for module in modules),
    }


def _count_any(text: str) -> int:
    words = "".join(c if c.isalnum() or c == "_" else " " for c in text).split()
    return words.count("Any")


def table(before: Package, now: Package) -> str:
    """Both tables of docs/design.md."""
    rows = [line("who adds", "before: files", "lines", "now: files", "lines"),
            "|--|--:|--:|--:|--:|"]  # fmt: skip
    old, new = reading(before), reading(now)
    rows += [line(adds, *_counts(old[adds]), *_counts(new[adds])) for adds in old]
    rows += ["", line("the package", "before", "now"), "|--|--:|--:|"]
    sizes = size(before), size(now)
    rows += [line(name, f"{sizes[0][name]:,}", f"{sizes[1][name]:,}") for name in sizes[0]]
    return "\n".join(rows)


def _counts(modules: Sequence[Module]) -> tuple[str, str]:
    if not modules:
        return "none yet", "–"
    return str(len(modules)), f"{sum(m.lines for m in modules):,}"


def main() -> None:
    """Print what is read, file by file; both tables; put them on the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--at", metavar="REV", default=BEFORE, help="the commit to compare with")
    parser.add_argument("--write", action="store_true", help="put the tables into docs/design.md")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        checkout(options.at, Path(folder), "src/nshot")
        before, now = (Package(root / "src" / "nshot") for root in (Path(folder), ROOT))
        for name, package in ((options.at, before), ("now", now)):
            for adds, modules in reading(package).items():
                print(f"{name}: {adds}: {', '.join(f'{m.name} {m.lines}' for m in modules) or '–'}")
        text = table(before, now)
    print(text)
    if options.write:
        write("reading.py", text, PAGE)


if __name__ == "__main__":
    main()
