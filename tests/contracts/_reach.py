"""Which functions of the package a command can reach, and what their strings say.

Names are followed by their spelling alone: an attribute `x.fit` reaches the method `fit` of each
class that is reached. That is more than a run can reach, never less.
"""

import ast
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import distilcli

DECLARE = {"opt", "argument", "Also", "setting"}
PACKAGE = Path(distilcli.__file__).parent
Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


@dataclass
class Unit:
    """A function, a method, the body of a class, or a constant of a module."""

    module: str
    line: int
    names: set[str] = field(default_factory=set)
    attributes: set[str] = field(default_factory=set)
    strings: list[str] = field(default_factory=list)


@dataclass
class Module:
    """What a module defines, and the definitions that its names stand for."""

    units: dict[str, Unit] = field(default_factory=dict)
    methods: dict[str, dict[str, Unit]] = field(default_factory=lambda: defaultdict(dict))
    imported: dict[str, tuple[str, str]] = field(default_factory=dict)


@cache
def modules() -> dict[str, Module]:
    """Return every module of the package."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        found[name] = _read_module(name, ast.parse(path.read_text(encoding="utf-8")))
    return found


def _read_module(name: str, tree: ast.Module) -> Module:
    module = Module(imported=_imports(tree))
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            module.units[node.name] = Unit(name, node.lineno)
            _read(module.units[node.name], [*node.bases, *node.decorator_list])
            for part in node.body:
                unit = module.units[node.name]
                if isinstance(part, ast.FunctionDef):
                    unit = module.methods[node.name][part.name] = Unit(name, part.lineno)
                _read(unit, [part])
        for defined in _defined(node):
            _read(module.units.setdefault(defined, Unit(name, node.lineno)), [node])
    return module


def _imports(tree: ast.Module) -> dict[str, tuple[str, str]]:
    return {
        each.asname or each.name: (str(node.module), each.name)
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("distilcli")
        for each in node.names
    }


def _defined(node: ast.stmt) -> list[str]:
    """Return the function or the constants that a statement of a module defines."""
    if isinstance(node, ast.FunctionDef):
        return [node.name]
    targets = getattr(node, "targets", [getattr(node, "target", None)])
    return [
        part.id for each in targets if each for part in ast.walk(each) if isinstance(part, ast.Name)
    ]


def strings_of(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield line and text of each string but docstrings and those that declare options.

    An f-string has … for its gaps.
    """
    parts = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in DECLARE:
            parts.update(map(id, ast.walk(node)))
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr) and id(node) not in parts:
            parts.update(map(id, node.values))
            texts = [
                str(each.value) if isinstance(each, ast.Constant) else "…" for each in node.values
            ]
            yield node.lineno, "".join(texts)
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in parts:
            yield node.lineno, node.value


def _read(unit: Unit, nodes: Iterable[ast.AST]) -> None:
    for node in nodes:
        unit.strings += [text for _, text in strings_of(node)]
        for each in ast.walk(node):
            if isinstance(each, ast.Name):
                unit.names.add(each.id)
            elif isinstance(each, ast.Attribute):
                unit.attributes.add(each.attr)
            elif isinstance(each, ast.ImportFrom) and (each.module or "").startswith("distilcli"):
                unit.names.update(alias.asname or alias.name for alias in each.names)


def reached(module: str, name: str) -> Iterator[Unit]:
    """Yield everything that a definition can reach, itself among it."""
    seen: dict[int, Unit] = {}
    attributes: set[str] = set()
    waiting: dict[str, list[Unit]] = defaultdict(list)  # methods of reached classes, by name
    todo = [*_definition(module, name)]
    while todo:
        owner, unit_name, unit = todo.pop()
        if id(unit) in seen:
            continue
        seen[id(unit)] = unit
        for method_name, method in modules()[owner].methods.get(unit_name, {}).items():
            if method_name.startswith("__") or method_name in attributes:
                todo.append((owner, "", method))
            else:
                waiting[method_name].append(method)
        for attribute in unit.attributes - attributes:
            attributes.add(attribute)
        for attribute in attributes & waiting.keys():
            todo += [(method.module, "", method) for method in waiting.pop(attribute)]
        for each in unit.names:
            todo += _definition(unit.module, each)
    yield from seen.values()


def _definition(module: str, name: str) -> Iterator[tuple[str, str, Unit]]:
    here = modules()[module]
    if name in here.units:
        yield module, name, here.units[name]
    elif name in here.imported:
        source, original = here.imported[name]
        if source in modules():
            yield from _definition(source, original)
