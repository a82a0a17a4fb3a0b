"""How a script writes a full name with the imports that it has."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from pytest_sagemaker.lint.facts.tree import CANONICAL

if TYPE_CHECKING:
    from pytest_sagemaker.lint.module import Module


def spell(module: Module, full: str, at: ast.AST) -> str | None:
    """`torch.distributed.get_rank` as `dist.get_rank`, where `dist` is imported at module level.

    None where no import of the module leads there, or the name means something else at `at`.
    """
    tree = module.tree
    plain = [node for node in tree.all(ast.Import) if tree.function(node) is None]
    of = [node for node in tree.all(ast.ImportFrom) if tree.function(node) is None]
    heads = [(alias.asname or alias.name).partition(".")[0] for node in plain for alias in node.names]
    heads += [alias.asname or alias.name for node in of for alias in node.names if alias.name != "*"]
    homes = [full, *(other for other, canonical in CANONICAL.items() if canonical == full)]
    found = [
        head + home.removeprefix(tree.imports[head])
        for head in heads
        for home in homes
        if home == tree.imports[head] or home.startswith(f"{tree.imports[head]}.")
    ]
    visible = (name for name in found if not module.flow.bindings.reaching(name.partition(".")[0], at))
    return min(visible, key=len, default=None)


def is_free(module: Module, name: str, at: ast.AST) -> bool:
    """Whether nothing binds a name at a place: a fix may bring it in."""
    return name not in module.tree.imports and not module.flow.bindings.reaching(name, at)
