"""What a script writes to its log: prints, records, and whether a handler and a level let records through."""

from __future__ import annotations

import ast
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pytest_sagemaker.lint.facts.flow import Flow
    from pytest_sagemaker.lint.facts.tree import FunctionNode, Tree

LEVELS = {"debug": 10, "info": 20, "warning": 30, "warn": 30, "error": 40, "exception": 40, "critical": 50}
ROOT = ""
"""The key of the root logger; others have their name, `__name__` included."""

_CONFIGURES = ("logging.config.dictConfig", "logging.config.fileConfig", "logging.config.listen")
_UNKNOWN_LEVEL = -1


class Record(NamedTuple):
    """One call that logs: `logger.info(...)`, or `logging.info(...)` on the root logger."""

    call: ast.Call
    logger: str
    level: int
    on_module: bool


class Logs:
    """The answers about logging, found on demand. Logger names are compared as they are written."""

    def __init__(self, tree: Tree, flow: Flow, strangers: frozenset[str]) -> None:
        """`strangers` are imports that may configure logging in a way that cannot be seen from here."""
        self._tree = tree
        self._flow = flow
        self._strangers = strangers

    @cached_property
    def prints(self) -> tuple[ast.Call, ...]:
        """Calls of the builtin print that write to the log: to no file but stdout and stderr."""
        return tuple(call for call in self._tree.calls("print") if self._is_to_log(call))

    @cached_property
    def makers(self) -> tuple[ast.Call, ...]:
        """`logging.getLogger(...)` calls."""
        return tuple(self._tree.calls("logging.getLogger"))

    @cached_property
    def names(self) -> dict[str, str]:
        """The variables that hold a logger, in document order, and its key."""
        found: dict[str, str] = {}
        for assign in self._tree.all(ast.Assign):
            for target in assign.targets:
                if assign.value in self.makers and isinstance(target, ast.Name):
                    key = self.key(assign.value)
                    if key is not None:
                        found[target.id] = key
        return found

    def sees(self, name: str, node: ast.AST) -> bool:
        """Whether a variable of `names` is that logger at a place."""
        bindings = self._flow.bindings.reaching(name, node)
        return bool(bindings) and all(binding.value in self.makers for binding in bindings)

    @cached_property
    def records(self) -> tuple[Record, ...]:
        """Every call that logs and whose logger is known, in document order."""
        found = []
        for call in self._tree.method_calls(*LEVELS):
            assert isinstance(call.func, ast.Attribute)
            if self._tree.name(call.func.value) != "logging":
                key = self.key(call.func.value)
                if key is not None:
                    found.append(Record(call, key, LEVELS[call.func.attr], on_module=False))
        for method, level in LEVELS.items():
            found += [
                Record(call, ROOT, level, on_module=True) for call in self._tree.calls(f"logging.{method}")
            ]
        return tuple(sorted(found, key=lambda record: (record.call.lineno, record.call.col_offset)))

    @cached_property
    def basic_configs(self) -> tuple[ast.Call, ...]:
        """`logging.basicConfig(...)` calls."""
        return tuple(self._tree.calls("logging.basicConfig"))

    @cached_property
    def setups(self) -> tuple[tuple[str, ast.Call], ...]:
        """The calls that give a logger a handler or a level, with the logger's name."""
        calls = [(self._of(call), call) for call in self._on_loggers("addHandler", "setLevel")]
        known = [(key, call) for key, call in calls if key is not None]
        return (*known, *((ROOT, call) for call in self.basic_configs))

    @cached_property
    def handled(self) -> frozenset[str]:
        """The loggers that are given a handler. Calling `logging.info` and its like gives the root one."""
        found = {key for call in self._on_loggers("addHandler") if (key := self._of(call)) is not None}
        if self.basic_configs or any(record.on_module for record in self.records):
            found.add(ROOT)
        return frozenset(found)

    @cached_property
    def explicitly_handled(self) -> frozenset[str]:
        """As `handled`, without the root's handler that `logging.info` makes for itself."""
        found = {key for call in self._on_loggers("addHandler") if (key := self._of(call)) is not None}
        return frozenset(found | {ROOT} if self.basic_configs else found)

    @cached_property
    def levels(self) -> dict[str, list[int]]:
        """The levels that loggers are set to, -1 where one cannot be read."""
        found: dict[str, list[int]] = {}
        for call in self._on_loggers("setLevel"):
            key = self._of(call)
            if key is not None and call.args:
                found.setdefault(key, []).append(self._level(call.args[0]))
        for call in self.basic_configs:
            for keyword in call.keywords:
                if keyword.arg in ("level", None):
                    found.setdefault(ROOT, []).append(
                        self._level(keyword.value) if keyword.arg else _UNKNOWN_LEVEL
                    )
        return found

    @cached_property
    def unreadable(self) -> bool:
        """Whether logging may be configured in a way that is not followed here."""
        return (
            bool(self._strangers)
            or bool(self._tree.calls(*_CONFIGURES))
            or any(node.attr == "handlers" for node in self._tree.all(ast.Attribute))
            or any(
                self._of(call) is None and not self._is_handler(call)
                for call in self._on_loggers("addHandler", "setLevel")
            )
        )

    def key(self, node: ast.expr) -> str | None:
        """The name of the logger that an expression is, None where it is not known to be one."""
        if self._tree.name(node) == "logging.root":
            return ROOT
        keys = {
            self._made(value.node)
            if isinstance(value.node, ast.Call) and value.node in self.makers
            else ROOT
            if value.node is not None and self._tree.name(value.node) == "logging.root"
            else None
            for value in self._flow.origins(node)
        }
        return keys.pop() if len(keys) == 1 else None

    def has_handler(self, logger: str) -> bool:
        """Whether a record of a logger finds a handler, its own or that of a parent."""
        return any(above in self.handled for above in lineage(logger))

    def has_level(self, logger: str) -> bool:
        """Whether anything sets a level for a logger: without, it is the root's, WARNING."""
        return any(above in self.levels for above in lineage(logger))

    def shows_info(self, logger: str) -> bool:
        """Whether a record at INFO is sure to be written."""
        levels = next((self.levels[above] for above in lineage(logger) if above in self.levels), [])
        return self.has_handler(logger) and bool(levels) and all(0 <= level <= 20 for level in levels)

    def is_ready(self, logger: str, node: ast.AST) -> bool:
        """Whether a logger shows INFO, and is set up by the time that a node runs."""
        above = lineage(logger)
        setups = [call for key, call in self.setups if key in above]
        return self.shows_info(logger) and all(self._is_after(node, call) for call in setups)

    def _is_after(self, node: ast.AST, setup: ast.Call) -> bool:
        """Whether every way to a node leads past a call that sets up logging."""
        on_import = self._tree.function(setup) is None and not any(
            isinstance(outer, ast.If) for outer in self._tree.ancestors(setup)
        )
        way: dict[FunctionNode | None, int] = {}  # the line in each function that leads to the set-up
        step: ast.AST = setup
        while (function := self._tree.function(step)) not in way:
            way[function] = self._tree.statement(step).lineno
            calls = self._flow.calls_to(function) if function is not None else []
            step = calls[0] if len(calls) == 1 else step
        return self._follows(node, way, on_import, 0)

    def _follows(
        self, node: ast.AST, way: dict[FunctionNode | None, int], on_import: bool, depth: int
    ) -> bool:
        function = self._tree.function(node)
        if function in way:
            return self._tree.statement(node).lineno > way[function]
        calls = self._flow.calls_to(function) if function is not None and depth < 5 else []
        if not calls or (function is not None and self._flow.escapes(function)):
            return on_import  # whoever calls the function has imported the module before
        return all(self._follows(call, way, on_import, depth + 1) for call in calls)

    def _made(self, call: ast.Call) -> str | None:
        """The name that a getLogger call asks for."""
        given = [*call.args, *(keyword.value for keyword in call.keywords)]
        if not given:
            return ROOT
        values = [value.node for value in self._flow.origins(given[0])]
        if len(values) != 1:
            return None
        if isinstance(values[0], ast.Name) and values[0].id == "__name__":
            return "__name__"
        if isinstance(values[0], ast.Constant):
            return str(values[0].value or ROOT)
        return None

    def _of(self, call: ast.Call) -> str | None:
        assert isinstance(call.func, ast.Attribute)
        return self.key(call.func.value)

    def _on_loggers(self, *methods: str) -> list[ast.Call]:
        """Calls of a method, but for those on a handler that does not write."""
        return [
            call
            for call in self._tree.method_calls(*methods)
            if not any(
                isinstance(arg, ast.Call) and self._tree.name(arg.func) == "logging.NullHandler"
                for arg in call.args
            )
        ]

    def _is_handler(self, call: ast.Call) -> bool:
        """`handler.setLevel(...)`: of a handler, whose own level is the user's wish."""
        assert isinstance(call.func, ast.Attribute)
        return all(
            isinstance(value.node, ast.Call)
            and self._tree.name(value.node.func).startswith("logging.")
            and value.node not in self.makers
            for value in self._flow.origins(call.func.value)
        )

    def _level(self, node: ast.expr) -> int:
        name = self._tree.name(node)
        text = name.removeprefix("logging.") if name else ""
        if isinstance(node, ast.Constant):
            if isinstance(node.value, int):
                return node.value
            text = str(node.value)
        if text == "NOTSET":
            return 0
        return LEVELS.get(text.lower(), _UNKNOWN_LEVEL)

    def _is_to_log(self, call: ast.Call) -> bool:
        files = [keyword.value for keyword in call.keywords if keyword.arg == "file"]
        return bool(call.args) and all(
            self._tree.name(file) in ("sys.stdout", "sys.stderr") for file in files
        )


def lineage(logger: str) -> list[str]:
    """A logger and those above it, the root last."""
    found = [logger]
    while "." in logger:
        logger = logger.rpartition(".")[0]
        found.append(logger)
    return list(dict.fromkeys([*found, ROOT]))
