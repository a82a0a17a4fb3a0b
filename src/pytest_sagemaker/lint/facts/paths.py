"""How a path is spelled: its file name where that is written in the script, and what it begins with."""

from __future__ import annotations

import ast
import re
from itertools import product
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from pytest_sagemaker.lint.facts.leaves import Leaf

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_sagemaker.lint.facts.flow import Flow
    from pytest_sagemaker.lint.facts.leaves import Leaves
    from pytest_sagemaker.lint.facts.tree import Tree

MAX_SPELLINGS = 8
"""A path with more spellings than this is given up as unknown."""

MAX_DEPTH = 50

_JOINS = {"os.path.join", "pathlib.Path", "pathlib.PurePath", "pathlib.PosixPath"}
_SAME = {
    "open", "io.open", "gzip.open", "str", "os.fspath", "os.path.abspath", "os.path.expanduser",
    "os.path.realpath", "os.path.normpath",
}  # fmt: skip
_SAME_METHODS = {"open", "resolve", "absolute", "expanduser", "as_posix"}
_PLACEHOLDER = re.compile(r"%[-+0-9.]*[a-z]|\{[^{}]*\}")


class Gap(NamedTuple):
    """A part of a path that is not written out: `args.model_dir`, `epoch`."""

    node: ast.expr | None = None
    frame: tuple[ast.Call, ...] = ()


Spelling: TypeAlias = "tuple[str | Gap, ...]"
"""One way to spell a path: what is written, and the gaps between."""

UNREAD: Spelling = (Gap(),)


class Paths:
    """Reads how paths are put together: join, `/`, `+`, f-strings, `%`, format, pathlib, open."""

    def __init__(self, tree: Tree, flow: Flow, leaves: Leaves) -> None:
        """Look into `tree` on demand."""
        self._tree = tree
        self._flow = flow
        self._leaves = leaves
        self._open: set[tuple[ast.expr, tuple[ast.Call, ...]]] = set()

    def name(self, node: ast.expr, frame: tuple[ast.Call, ...] = ()) -> str:
        """The file name at the end of a path or of an opened file; empty where it cannot be told."""
        names = {_file_name(spelling) for spelling in self.spellings(node, frame)}
        return names.pop() if len(names) == 1 else ""

    def roots(self, node: ast.expr, frame: tuple[ast.Call, ...] = ()) -> list[tuple[Leaf, ...]]:
        """What a path begins with, for each of its spellings: the folder that it stands in."""
        found: list[tuple[Leaf, ...]] = []
        for spelling in self.spellings(node, frame):
            first = next((part for part in spelling if part != ""), "")
            if isinstance(first, str):
                found.append((Leaf("constant", first),))
            elif first.node is None:
                found.append((Leaf("unknown"),))
            else:
                found.append(self._leaves.of(first.node, first.frame))
        return found

    def spellings(self, node: ast.expr, frame: tuple[ast.Call, ...] = ()) -> set[Spelling]:
        """Every way that a path can be spelled."""
        if (node, frame) in self._open or len(self._open) > MAX_DEPTH:  # `path = path / name` in a loop
            return {UNREAD}
        self._open.add((node, frame))
        found: set[Spelling] = set()
        for value in self._flow.origins(node, frame):
            if isinstance(value.node, ast.expr) and value.item is None:
                found |= self._spell(value.node, value.frame)
            else:  # a parameter, an unpacked tuple, or a lost trail: the leaves tell which
                found.add((Gap(node, frame),))
        self._open.remove((node, frame))
        return found if 0 < len(found) <= MAX_SPELLINGS else {UNREAD}

    def _spell(self, node: ast.expr, frame: tuple[ast.Call, ...]) -> set[Spelling]:
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            return {(node.value,)}
        if isinstance(node, ast.JoinedStr):
            parts = [part.value if isinstance(part, ast.FormattedValue) else part for part in node.values]
            return self._glue(parts, "", frame)
        if isinstance(node, ast.BinOp):
            if isinstance(node.op, ast.Div):
                return self._glue([node.left, node.right], "/", frame)
            if isinstance(node.op, ast.Add):
                return self._glue([node.left, node.right], "", frame)
            if isinstance(node.op, ast.Mod):
                given = node.right.elts if isinstance(node.right, ast.Tuple) else [node.right]
                return self._fill(node.left, given, frame)
        if isinstance(node, ast.Call) and not any(isinstance(arg, ast.Starred) for arg in node.args):
            return self._call(node, frame)
        return {(Gap(node, frame),)}

    def _call(self, node: ast.Call, frame: tuple[ast.Call, ...]) -> set[Spelling]:
        name = self._tree.name(node.func)
        if name in _JOINS and node.args:
            return self._glue(node.args, "/", frame)
        if name in _SAME and node.args:
            return self.spellings(node.args[0], frame)
        if isinstance(node.func, ast.Attribute) and not name:
            if node.func.attr in _SAME_METHODS:
                return self.spellings(node.func.value, frame)
            if node.func.attr == "joinpath":
                return self._glue([node.func.value, *node.args], "/", frame)
            if node.func.attr == "format":
                return self._fill(node.func.value, node.args, frame)
        return {(Gap(node, frame),)}

    def _glue(self, parts: Sequence[ast.expr], between: str, frame: tuple[ast.Call, ...]) -> set[Spelling]:
        """The spellings of parts put side by side."""
        choices = [self.spellings(part, frame) for part in parts]
        found: set[Spelling] = set()
        for choice in product(*choices):
            glued: Spelling = ()
            for spelling in choice:
                glued = (*glued, between, *spelling) if glued and between else (*glued, *spelling)
            found.add(glued)
            if len(found) > MAX_SPELLINGS:
                return {UNREAD}
        return found

    def _fill(
        self, template: ast.expr, given: Sequence[ast.expr], frame: tuple[ast.Call, ...]
    ) -> set[Spelling]:
        """`"%s/model.pth" % folder` and `"{}/model.pth".format(folder)`: the placeholders filled in order."""
        if not (isinstance(template, ast.Constant) and isinstance(template.value, str)):
            return {UNREAD}
        written = _PLACEHOLDER.split(template.value)
        if len(written) != len(given) + 1:
            return {UNREAD}
        parts: list[ast.expr] = [ast.Constant(written[0])]
        for value, text in zip(given, written[1:], strict=True):
            parts += [value, ast.Constant(text)]
        return self._glue(parts, "", frame)


def _file_name(spelling: Spelling) -> str:
    """What is written after the last slash; empty where a gap stands there."""
    written = ""
    for part in reversed(spelling):
        if isinstance(part, Gap):
            return ""
        written = part + written
        if "/" in part:
            return written.rpartition("/")[2]
    return written
