"""Records at INFO or below, and no handler or level that lets them through.

The job's log shows what the toolkit writes and nothing of the script: no epoch, no loss, no accuracy.
Metric definitions match nothing.

Why it fails:
SageMaker starts the script in a process whose root logger has no handler and the level WARNING. A record
needs both, a handler and a level, on its logger or above it; one of the two is not enough.

Use instead:
`logging.basicConfig(stream=sys.stdout, level=logging.INFO)` as the first line below the guard.

False alarms:
Levels that are set on purpose, files that do not train or are only imported, and imports that may configure
logging themselves are not reported. A record at WARNING or above reaches the log without any of this.

Source:
https://docs.python.org/3/library/logging.html#logging.lastResort
https://github.com/huggingface/transformers/pull/9816
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from pytest_sagemaker.finding import Fix
from pytest_sagemaker.lint.edits import add_import, insert_after, insert_before, set_keyword
from pytest_sagemaker.lint.facts.logs import ROOT, lineage
from pytest_sagemaker.lint.spelling import is_free, spell

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_sagemaker.finding import Edit, Fault
    from pytest_sagemaker.lint.facts.logs import Record
    from pytest_sagemaker.lint.module import Module

SEVERITY = "E"

BAD = {
    "nothing": """\
import logging

logger = logging.getLogger(__name__)  # SM302

def train():
    loss.backward()
    logger.info("loss %f", loss.item())

if __name__ == "__main__":
    train()
""",
    "root": """\
import logging as log

def train():
    loss.backward()
    log.info("loss %f", loss.item())  # SM302

if __name__ == "__main__":
    train()
""",
    "level-without-handler": """\
from logging import DEBUG, getLogger

def train():
    logger = getLogger("train")  # SM302
    logger.setLevel(DEBUG)
    loss.backward()
    logger.debug("loss %f", loss.item())

if __name__ == "__main__":
    train()
""",
    "handler-without-level": """\
import logging
import sys

logger = logging.getLogger(__name__)  # SM302
logger.addHandler(logging.StreamHandler(sys.stdout))

if __name__ == "__main__":
    loss.backward()
    logger.info("done")
""",
    "root-handler-without-level": """\
import logging
import sys

logger = logging.getLogger("data")
logger.setLevel(logging.INFO)
logger.addHandler(logging.StreamHandler(sys.stdout))
logging.getLogger().addHandler(logging.StreamHandler(sys.stdout))

if __name__ == "__main__":
    loss.backward()
    logging.info("done")  # SM302
""",
    "basic-config-without-level": """\
import logging

logging.basicConfig(format="%(message)s")  # SM302

if __name__ == "__main__":
    loss.backward()
    logging.info("done")
""",
}

GOOD = {
    "basic-config": """\
import logging

logger = logging.getLogger(__name__)

if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    loss.backward()
    logger.info("done")
""",
    "handler-and-level": """\
import logging
import sys

logger = logging.getLogger("a.b")
logging.getLogger("a").setLevel(logging.DEBUG)
logger.addHandler(logging.StreamHandler(sys.stdout))

if __name__ == "__main__":
    loss.backward()
    logger.debug("done")
""",
    "level-from-an-argument": """\
import logging
import argparse

logger = logging.getLogger(__name__)

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--log-level", default="info")
    logging.basicConfig(level=parser.parse_args().log_level.upper())
    loss.backward()
    logger.info("done")
""",
    "quiet-on-purpose": """\
import logging

logging.basicConfig(level=logging.WARNING)
loss.backward()
logging.info("done")
""",
    "warnings-only": """\
import logging

logger = logging.getLogger(__name__)

if __name__ == "__main__":
    loss.backward()
    logger.warning("loss is not finite")
""",
    "imported-module": """\
import logging

logger = logging.getLogger(__name__)

def train():
    loss.backward()
    logger.info("done")
""",
    "configured-elsewhere": """\
import logging
from helpers import setup_logging

logger = logging.getLogger(__name__)

if __name__ == "__main__":
    setup_logging()
    loss.backward()
    logger.info("done")
""",
    "root-level-and-implicit-handler": """\
import logging

logging.getLogger().setLevel(logging.INFO)

if __name__ == "__main__":
    loss.backward()
    logging.info("done")
""",
}

_NEITHER = "no handler and no level is set: none of the INFO records of this script reaches the log"
_NO_LEVEL = "a handler without a level: the root logger's WARNING holds, and INFO records are dropped"
_NO_HANDLER = "a level without a handler: Python writes records from WARNING up only, and drops INFO"


def check(module: Module) -> Iterator[Fault]:
    logs = module.logs
    if not module.training or not module.is_script or logs.unreadable:
        return
    lost = [record for record in logs.records if _is_lost(record, module)]
    if not lost:
        return
    first = lost[0]
    if not logs.has_level(first.logger):
        message = _NO_LEVEL if logs.explicitly_handled & {first.logger, ROOT} else _NEITHER
    else:
        message = _NO_HANDLER
    yield module.fault(
        _place(first, module),
        message,
        help="call logging.basicConfig(stream=sys.stdout, level=logging.INFO) below the guard",
        fix=_fix(first, module),
    )


def _is_lost(record: Record, module: Module) -> bool:
    logs = module.logs
    if record.level > 20:
        return False
    if record.logger == ROOT and logs.explicitly_handled and ROOT not in logs.explicitly_handled:
        return False  # SM303's to say
    return not (logs.has_handler(record.logger) and logs.has_level(record.logger))


def _place(record: Record, module: Module) -> ast.expr:
    """Where the logger is made or configured; the record itself for the root logger."""
    if module.logs.basic_configs and not module.logs.has_level(record.logger):
        return module.logs.basic_configs[0]
    makers = [call for call in module.logs.makers if module.logs.key(call) == record.logger]
    return record.call if record.on_module or not makers else makers[0]


def _fix(record: Record, module: Module) -> Fix | None:
    logs = module.logs
    info = spell(module, "logging.INFO", module.tree.root.body[-1]) or "logging.INFO"
    imports = _imports(module, "logging") if info == "logging.INFO" else ()
    if imports is None:
        return None
    if logs.basic_configs and not logs.has_level(record.logger):
        edits = (*imports, set_keyword(module, logs.basic_configs[0], "level", info))
        return Fix("let INFO records through", edits)
    if logs.explicitly_handled.intersection(lineage(record.logger)):
        return _set_level(record, module, info, imports)
    return _basic_config(module, info, imports)


def _imports(module: Module, name: str) -> tuple[Edit, ...] | None:
    """What imports a module of the standard library; None where its name is taken."""
    if module.tree.imports.get(name) == name:
        return add_import(module, f"import {name}")
    return add_import(module, f"import {name}") if is_free(module, name, module.tree.root.body[-1]) else None


def _set_level(record: Record, module: Module, info: str, imports: tuple[Edit, ...]) -> Fix | None:
    """The level, below the line that adds the handler: basicConfig does nothing where the root has one."""
    for call in module.method_calls("addHandler"):
        assert isinstance(call.func, ast.Attribute)
        statement = module.tree.statement(call)
        alone = isinstance(statement, ast.Expr) and statement.value is call
        if alone and module.logs.key(call.func.value) in lineage(record.logger):
            line = f"{module.text(call.func.value)}.setLevel({info})"
            return Fix("let INFO records through", (*imports, insert_after(module, statement, line)))
    return None


def _basic_config(module: Module, info: str, imports: tuple[Edit, ...]) -> Fix | None:
    """basicConfig at the start of the guard: not where an endpoint imports the module."""
    configure = spell(module, "logging.basicConfig", module.tree.root.body[-1]) or "logging.basicConfig"
    streams = _imports(module, "sys")
    guard = module.guard
    if module.distributed.spawns:  # what they run would stay silent
        return None
    if guard is None or streams is None or guard.body[0].lineno == guard.lineno:
        return None
    if configure == "logging.basicConfig":
        imports = _imports(module, "logging") or imports
    line = f"{configure}(stream=sys.stdout, level={info})"
    edits = (*imports, *streams, insert_before(module, guard.body[0], line))
    return Fix("write INFO records to the log", edits)
