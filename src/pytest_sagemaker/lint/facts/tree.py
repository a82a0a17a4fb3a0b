"""The syntax tree of a script, walked once: parents, nodes by type, scopes, imported names."""

from __future__ import annotations

import ast
import builtins
from functools import cached_property
from typing import TypeAlias, TypeVar

FunctionNode: TypeAlias = "ast.FunctionDef | ast.AsyncFunctionDef"
Scope: TypeAlias = "ast.Module | ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef"
Node = TypeVar("Node", bound=ast.AST)

_SCOPES = (ast.Module, ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)
_BUILTINS = frozenset(dir(builtins))

CANONICAL = {
    "torch.nn.parallel.distributed.DistributedDataParallel": "torch.nn.parallel.DistributedDataParallel",
    "torch.nn.parallel.data_parallel.DataParallel": "torch.nn.DataParallel",
    "torch.nn.parallel.DataParallel": "torch.nn.DataParallel",
    "torch.utils.data.dataloader.DataLoader": "torch.utils.data.DataLoader",
    "torch.utils.data.DistributedSampler": "torch.utils.data.distributed.DistributedSampler",
    "torch.distributed.distributed_c10d.init_process_group": "torch.distributed.init_process_group",
    "torch.serialization.save": "torch.save",
    "torch.serialization.load": "torch.load",
    "tqdm.auto.tqdm": "tqdm.tqdm",
    "tqdm.std.tqdm": "tqdm.tqdm",
}
"""Other homes of the same thing, by the name that rules ask for."""


class Tree:
    """An `ast.Module` with the answers that every rule needs, from one walk in document order."""

    def __init__(self, root: ast.Module) -> None:
        """Walk `root`."""
        self.root = root
        self.parents: dict[ast.AST, ast.AST] = {}
        self._by_type: dict[type[ast.AST], list[ast.AST]] = {}
        stack: list[ast.AST] = [root]
        while stack:
            node = stack.pop()
            self._by_type.setdefault(type(node), []).append(node)
            children = list(ast.iter_child_nodes(node))
            for child in children:
                self.parents[child] = node
            stack.extend(reversed(children))

    def all(self, *kinds: type[Node]) -> list[Node]:
        """Every node of these types; of one type in document order."""
        return [node for kind in kinds for node in self._by_type.get(kind, ())]  # type: ignore[misc]  # keyed by type

    def ancestors(self, node: ast.AST) -> list[ast.AST]:
        """From the parent up to the module."""
        found = []
        while (parent := self.parents.get(node)) is not None:
            found.append(parent)
            node = parent
        return found

    def inside(self, node: ast.AST, outer: ast.AST) -> bool:
        """Whether `node` is `outer` or stands anywhere within it."""
        return node is outer or outer in self.ancestors(node)

    def statement(self, node: ast.AST) -> ast.stmt:
        """The statement that a node belongs to (a node outside of any has none: the module's first)."""
        for candidate in [node, *self.ancestors(node)]:
            if isinstance(candidate, ast.stmt):
                return candidate
        return self.root.body[0]

    def scope(self, node: ast.AST) -> Scope:
        """The scope whose names a node sees first. Decorators, defaults and annotations belong outside."""
        child = node
        for parent in self.ancestors(node):
            if isinstance(parent, _SCOPES):
                if isinstance(parent, ast.Module):
                    return parent
                body = [parent.body] if isinstance(parent, ast.Lambda) else parent.body
                if child in body or (isinstance(child, ast.arguments) and isinstance(node, ast.arg)):
                    return parent
            child = parent
        return self.root

    def function(self, node: ast.AST) -> FunctionNode | None:
        """The function in whose body a node runs, None at module and class level."""
        scope = self.scope(node)
        while not isinstance(scope, (ast.FunctionDef, ast.AsyncFunctionDef)):
            if isinstance(scope, ast.Module):
                return None
            scope = self.scope(scope)
        return scope

    @cached_property
    def function_nodes(self) -> list[FunctionNode]:
        """Every `def`, nested ones and methods too."""
        return [*self.all(ast.FunctionDef), *self.all(ast.AsyncFunctionDef)]

    @cached_property
    def functions(self) -> dict[str, FunctionNode]:
        """Top-level functions by name (the last definition wins, as in Python)."""
        return {node.name: node for node in self.function_nodes if isinstance(self.scope(node), ast.Module)}

    @cached_property
    def methods(self) -> dict[tuple[str, str], FunctionNode]:
        """Methods by class and name."""
        return {
            (parent.name, node.name): node
            for node in self.function_nodes
            if isinstance(parent := self.parents[node], ast.ClassDef)
        }

    @cached_property
    def imports(self) -> dict[str, str]:
        """What an imported name stands for: `DDP` -> `torch.nn.parallel.DistributedDataParallel`.

        Of several imports of one name the last counts: the fallback in `except ImportError`.
        """
        found: dict[str, str] = {}
        for plain in self.all(ast.Import):
            for alias in plain.names:
                if alias.asname:
                    found[alias.asname] = alias.name
                else:
                    head = alias.name.partition(".")[0]
                    found[head] = head
        for origin in self.all(ast.ImportFrom):
            base = "." * origin.level + (origin.module or "")
            for alias in origin.names:
                found[alias.asname or alias.name] = f"{base}.{alias.name}"
        return found

    @cached_property
    def aliases(self) -> dict[str, ast.expr]:
        """Module-level names bound once to a dotted name: `DDP = nn.parallel.DistributedDataParallel`."""
        seen: dict[str, list[ast.expr]] = {}
        for node in self.root.body:
            if isinstance(node, ast.Assign):
                for target in node.targets:
                    if isinstance(target, ast.Name):
                        seen.setdefault(target.id, []).append(node.value)
        return {
            name: values[0]
            for name, values in seen.items()
            if len(values) == 1 and isinstance(values[0], (ast.Attribute, ast.Name))
        }

    def name(self, node: ast.AST, _depth: int = 0) -> str:
        """The full name of a dotted expression after imports; empty where it does not start at one.

        A builtin that nothing shadows is named as it is written (`print`).
        """
        if isinstance(node, ast.Attribute):
            base = self.name(node.value, _depth)
            full = f"{base}.{node.attr}" if base else ""
        elif isinstance(node, ast.Name):
            if node.id in self.imports:
                full = self.imports[node.id]
            elif node.id in self.aliases and _depth < 5:
                full = self.name(self.aliases[node.id], _depth + 1)
            elif node.id in _BUILTINS and node.id not in self._bound:
                full = node.id
            else:
                full = ""
        else:
            return ""
        return CANONICAL.get(full, full)

    @cached_property
    def _bound(self) -> frozenset[str]:
        """Every name that the script itself binds somewhere."""
        stored = {node.id for node in self.all(ast.Name) if not isinstance(node.ctx, ast.Load)}
        defined = {node.name for node in [*self.function_nodes, *self.all(ast.ClassDef)]}
        return frozenset(stored | defined | {node.arg for node in self.all(ast.arg)})

    @cached_property
    def _calls(self) -> dict[str, list[ast.Call]]:
        found: dict[str, list[ast.Call]] = {}
        for call in self.all(ast.Call):
            if full := self.name(call.func):
                found.setdefault(full, []).append(call)
        return found

    @cached_property
    def _method_calls(self) -> dict[str, list[ast.Call]]:
        found: dict[str, list[ast.Call]] = {}
        for call in self.all(ast.Call):
            if isinstance(call.func, ast.Attribute):
                found.setdefault(call.func.attr, []).append(call)
        return found

    def calls(self, *names: str) -> list[ast.Call]:
        """Calls by the full name of what is called: `calls("torch.save")`, whatever the import."""
        return [call for name in names for call in self._calls.get(name, ())]

    def method_calls(self, *names: str) -> list[ast.Call]:
        """Calls of an attribute by its last name, on any object: `method_calls("backward")`."""
        return [call for name in names for call in self._method_calls.get(name, ())]

    def references(self, name: str) -> list[ast.Name]:
        """Every place that reads a plain name."""
        return self._loads.get(name, [])

    @cached_property
    def _loads(self) -> dict[str, list[ast.Name]]:
        found: dict[str, list[ast.Name]] = {}
        for node in self.all(ast.Name):
            if isinstance(node.ctx, ast.Load):
                found.setdefault(node.id, []).append(node)
        return found
