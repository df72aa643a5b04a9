"""The rules of who may import whom and who may open a transaction, checked by reading the code."""

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

# Each slice uses only those before it.
SLICES = (
    *("web", "outbox", "audit", "staff", "proof", "proposals", "vault", "customers"),
    *("criteria", "programmes", "partners", "policy", "consent", "messages", "tiers"),
    *("benefits", "points", "coupons", "rewards", "settlement", "events", "complaints"),
    *("visits", "surveys", "managers", "credit", "incidents"),
)

BELOW = {"settings", "database"}  # of loyalty: all slices stand on them
ABOVE = {"commands", "doctor", "local", "demo", "__main__"}  # of loyalty: they compose the slices

# From the lowest to the highest. `migrations` is beside: see `not_beside`.
PACKAGES = ("ledger", "loyalty", "campaigns", "wsgi")

# `web` is what every edge shares: its modules are its doors. Those of the ledger are named here.
OPEN_SLICES = {"web"}
LEDGER_DOORS = {"base", "models", "canonical", "checkpoints", "contents", "dump"}
LEDGER_DOORS |= {"proofs", "sealing"}

EDGES = {"api", "console", "pages", "jobs", "commands"}
FLASK_EDGES = {"api", "console", "pages"}
FLASK = {"flask", "werkzeug", "jinja2"}
OPENING = {"transaction", "engine"}  # of loyalty.database
SQLALCHEMY_OPENING = {"create_engine", "sessionmaker", "scoped_session", "Session"}
ENDING = {"commit", "rollback"}


@dataclass(frozen=True)
class Import:
    """One thing that a file imports; `names` are empty for `import module`."""

    line: int
    module: str
    name: str = ""

    def path(self) -> list[str]:
        """Return the parts of what is imported, the name that may be a module included."""
        return [*self.module.split("."), *([self.name] if self.name else [])]


@dataclass(frozen=True)
class File:
    """One Python file of the tree: its place as dotted parts, and its syntax."""

    place: tuple[str, ...]
    name: str
    tree: ast.Module
    root: Path

    @property
    def package(self) -> str:
        return self.place[0]

    @property
    def slice(self) -> str:
        """Return its folder or module in loyalty; empty elsewhere."""
        return self.place[1] if self.package == "loyalty" and len(self.place) > 1 else ""

    @property
    def noun(self) -> str:
        return self.place[-1]

    @property
    def edge(self) -> str:
        """The kind of edge: `rules_api` is an `api` as well."""
        return self.noun.rpartition("_")[2]

    def imports(self) -> Iterator[Import]:
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                yield from (Import(node.lineno, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                module = self._absolute(node)
                yield from (Import(node.lineno, module, alias.name) for alias in node.names)

    def _absolute(self, node: ast.ImportFrom) -> str:
        if not node.level:
            return node.module or ""
        is_package = self.name.endswith("__init__.py")
        parts = self.place if is_package else self.place[:-1]
        parts = parts[: len(parts) - node.level + 1]
        return ".".join([*parts, *([node.module] if node.module else [])])

    def is_module(self, *parts: str) -> bool:
        """Return whether these parts name a file or folder of the tree, not a thing in one."""
        path = self.root.joinpath(*parts)
        return path.is_dir() or path.with_suffix(".py").is_file()


def read_tree(root: Path) -> list[File]:
    """Return the Python files of the packages under `root`."""
    files = []
    for package in PACKAGES:
        found = [root / f"{package}.py", *sorted((root / package).rglob("*.py"))]
        for path in found:
            if path.is_file():
                place = path.relative_to(root).with_suffix("").parts
                place = place[:-1] if place[-1] == "__init__" else place
                name = str(path.relative_to(root))
                files.append(File(place, name, ast.parse(path.read_text("utf-8")), root))
    return files


def not_downwards(file: File) -> Iterator[tuple[int, str]]:
    """Packages import downwards only: wsgi, campaigns, loyalty, ledger."""
    for found in file.imports():
        target = found.path()[0]
        if target in PACKAGES and PACKAGES.index(target) > PACKAGES.index(file.package):
            yield found.line, f"{file.package} imports {target}, which is above it"


def not_beside(file: File) -> Iterator[tuple[int, str]]:
    """Of `migrations` only the front door is used, which knows nobody; the ledger uses none."""
    for found in file.imports():
        if found.path()[0] == "migrations" and (file.package == "ledger" or found.name):
            yield found.line, f"imports {'.'.join(found.path())}"


def not_in_order(file: File) -> Iterator[tuple[int, str]]:
    """A slice uses only earlier slices, and nothing of what composes the slices."""
    if not file.slice or file.slice in ABOVE:
        return
    if file.slice not in SLICES and file.slice not in BELOW:
        yield 1, f"loyalty/{file.slice} has no place in the order of slices"
        return
    for found in file.imports():
        target = imported_slice(file, found)
        if target in ABOVE:
            yield found.line, f"imports loyalty.{target}, which composes the slices"
        elif target in SLICES and rank(target) > rank(file.slice):
            yield found.line, f"{file.slice} imports {target}, which is a later slice"


def rank(name: str) -> int:
    return SLICES.index(name) if name in SLICES else -1


def imported_slice(file: File, found: Import) -> str:
    """Return the folder or module of loyalty that is imported; empty where it is none."""
    parts = found.path()
    if parts[0] != "loyalty" or len(parts) < 2 or not file.is_module(*parts[:2]):
        return ""
    return parts[1]


def not_by_the_front_door(file: File) -> Iterator[tuple[int, str]]:
    """Another slice is imported by its package or its models; the ledger by its doors."""
    if file.package == "wsgi" or file.slice in ABOVE:
        return
    for found in file.imports():
        door = passed_door(file, found)
        if door and file.is_module(*door):
            yield found.line, f"imports {'.'.join(door)} past the front door"


def passed_door(file: File, found: Import) -> list[str]:
    """Return the way to what stands behind a front door, if `found` went there past it."""
    parts = found.path()
    if parts[0] == "ledger" != file.package and len(parts) > 1 and parts[1] not in LEDGER_DOORS:
        return parts[:2]
    elsewhere = imported_slice(file, found) not in {"", file.slice, *OPEN_SLICES}
    if elsewhere and len(parts) > 2 and parts[2] != "models":
        return parts[:3]
    return []


def not_without_flask(file: File) -> Iterator[tuple[int, str]]:
    """Only `web`, the pages and the routes know Flask: rules, nouns, models and jobs do not."""
    if file.package == "wsgi" or file.slice in {"web", *ABOVE} or file.edge in FLASK_EDGES:
        return
    for found in file.imports():
        if found.path()[0] in FLASK:
            yield found.line, f"imports {found.module}"


def not_at_the_edge(file: File) -> Iterator[tuple[int, str]]:
    """Only edges open transactions and connections."""
    if is_edge(file):
        return
    for found in file.imports():
        parts = found.path()
        if parts[:2] == ["loyalty", "database"] and found.name in {*OPENING, ""}:
            yield found.line, f"imports {found.name or 'all'} of loyalty.database"
        if parts[:2] == ["loyalty", "database"] and found.module == "loyalty":
            yield found.line, "imports loyalty.database whole"
    for node in ast.walk(file.tree):
        if isinstance(node, ast.Call) and called(node) in SQLALCHEMY_OPENING:
            yield node.lineno, f"calls {called(node)}"


def is_edge(file: File) -> bool:
    """Return whether a file may open a transaction: an edge, `web`, or what is above or below."""
    return file.edge in EDGES or file.package == "wsgi" or file.slice in {"web", "database", *ABOVE}


def not_left_to_the_edge(file: File) -> Iterator[tuple[int, str]]:
    """Nobody commits or rolls back but `transaction()` itself and what works outside of it."""
    if file.slice in {"database", *ABOVE}:
        return
    for node in ast.walk(file.tree):
        if isinstance(node, ast.Call) and called(node) in ENDING:
            yield node.lineno, f"calls {called(node)}"


def called(node: ast.Call) -> str:
    match node.func:
        case ast.Attribute(attr=name) | ast.Name(id=name):
            return name
    return ""


Rule = Callable[[File], Iterator[tuple[int, str]]]

RULES: tuple[Rule, ...] = (
    not_downwards,
    not_beside,
    not_in_order,
    not_by_the_front_door,
    not_without_flask,
    not_at_the_edge,
    not_left_to_the_edge,
)


def violations(root: Path, rule: Rule) -> list[str]:
    """Return each place in the tree under `root` that breaks `rule`, as file, line and what."""
    return [f"{file.name}:{line}: {what}" for file in read_tree(root) for line, what in rule(file)]
