"""`logging.info(...)` logs to the root logger, while only a named logger has the handler.

The line never reaches the job's log. The first such call also gives the root logger a handler of its own,
so that everything the named logger writes appears twice from then on.

Why it fails:
`logging.info` is the root logger's. A handler on `logging.getLogger(__name__)` gets the records of that
logger and of those below it, not those of the root, whose level stays WARNING.

Use instead:
`logger.info(...)`, with the logger that has the handler.

False alarms:
A root logger with a handler, basicConfig or level of its own, files that do not train or are only imported,
and imports that may configure logging are not reported.

Source:
https://docs.python.org/3/library/logging.html#logging.basicConfig
https://docs.python.org/3/howto/logging.html#logging-flow
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_sagemaker.finding import Fix
from pytest_sagemaker.lint.edits import replace
from pytest_sagemaker.lint.facts.logs import LEVELS, ROOT

if TYPE_CHECKING:
    import ast
    from collections.abc import Iterator

    from pytest_sagemaker.finding import Fault
    from pytest_sagemaker.lint.module import Module

SEVERITY = "E"

BAD = {
    "plain": """\
import logging
import sys

logger = logging.getLogger(__name__)
logger.setLevel(logging.DEBUG)
logger.addHandler(logging.StreamHandler(sys.stdout))

def train():
    loss.backward()
    logging.info("loss %f", loss.item())  # SM303
    logging.debug("step")  # SM303
    logging.warning("not finite")

if __name__ == "__main__":
    train()
""",
    "imported-by-name": """\
import sys
from logging import DEBUG, StreamHandler, getLogger, info

log = getLogger("train")
log.setLevel(DEBUG)
log.addHandler(StreamHandler(sys.stdout))

if __name__ == "__main__":
    loss.backward()
    info("done")  # SM303
""",
    "logger-out-of-reach": """\
import logging

def train():
    logger = logging.getLogger("train")
    logger.setLevel(logging.INFO)
    logger.addHandler(logging.StreamHandler())
    logger.info("start")
    loss.backward()

if __name__ == "__main__":
    train()
    logging.info("done")  # SM303
""",
}

GOOD = {
    "named": """\
import logging
import sys

logger = logging.getLogger(__name__)
logger.setLevel(logging.DEBUG)
logger.addHandler(logging.StreamHandler(sys.stdout))

if __name__ == "__main__":
    loss.backward()
    logger.info("done")
""",
    "root-configured": """\
import logging

logger = logging.getLogger(__name__)
logger.addHandler(logging.FileHandler("log"))

if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    loss.backward()
    logging.info("done")
""",
    "root-handler": """\
import logging
import sys

root = logging.getLogger()
root.setLevel(logging.INFO)
root.addHandler(logging.StreamHandler(sys.stdout))

if __name__ == "__main__":
    loss.backward()
    logging.info("done")
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
    logging.info("done")
""",
    "launcher": """\
import logging

logger = logging.getLogger("launch")
logger.setLevel(logging.INFO)
logger.addHandler(logging.StreamHandler())

if __name__ == "__main__":
    logging.info("start")
    estimator.fit()
""",
}


def check(module: Module) -> Iterator[Fault]:
    logs = module.logs
    if not module.training or not module.is_script or logs.unreadable:
        return
    if not logs.explicitly_handled or ROOT in logs.explicitly_handled or ROOT in logs.levels:
        return
    for record in logs.records:
        if record.logger == ROOT and record.level <= LEVELS["info"]:
            name = module.name(record.call.func) if record.on_module else "the root logger"
            yield module.fault(
                record.call,
                f"{name} never reaches the log: only the named logger has a handler",
                help="log to the logger that has the handler: logger.info(...)",
                fix=_fix(record.call, module) if record.on_module else None,
            )


def _fix(call: ast.Call, module: Module) -> Fix | None:
    for name in module.logs.names:
        if module.logs.shows_info(module.logs.names[name]) and module.logs.sees(name, call):
            method = module.name(call.func).rpartition(".")[2]
            return Fix("log to the named logger", (replace(module, call.func, f"{name}.{method}"),))
    return None
