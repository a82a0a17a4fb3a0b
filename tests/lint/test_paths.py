"""How paths are spelled."""

from __future__ import annotations

import posixpath

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rules_harness import module_of

from pytest_sagemaker.lint.facts.paths import UNREAD

HEAD = "import io, os\nfrom pathlib import Path\nfolder = unknown\nNAME = 'model.pth'\n"


def name_of(expression: str, before: str = "") -> str:
    module = module_of(f"{HEAD}{before}\nx.show({expression})\n")
    (call,) = module.method_calls("show")
    return module.paths.name(call.args[0])


@pytest.mark.parametrize(
    "expression",
    [
        "'model.pth'",
        "os.path.join(folder, 'model.pth')",
        "os.path.join(folder, 'x/model.pth')",
        "folder + '/model.pth'",
        "folder + '/' + NAME",
        "f'{folder}/model.pth'",
        "f'{folder}/{NAME}'",
        "'%s/model.pth' % folder",
        "'%s/%s' % (folder, NAME)",
        "'{}/model.pth'.format(folder)",
        "Path(folder) / 'x' / NAME",
        "str(Path(folder, 'model.pth').resolve())",
        "Path(folder).joinpath(NAME).open('wb')",
        "open(os.path.join(folder, 'model.pth'), 'wb')",
    ],
)
def test_a_name_that_is_written(expression: str) -> None:
    assert name_of(expression) == "model.pth"


@pytest.mark.parametrize(
    "expression",
    [
        "folder",
        "os.path.join(folder, unknown)",
        "f'{folder}/model_{epoch}.pth'",
        "folder + 'model.pth'",
        "'%s/m_%d.pth' % (folder, epoch)",
        "'%s/%s' % both",
        "os.path.join(*parts)",
        "os.path.join(folder, 'x/')",
        "NAME if y else 'other.pth'",
        "io.BytesIO()",
    ],
)
def test_a_name_that_is_not(expression: str) -> None:
    assert name_of(expression) == ""


def test_a_path_that_grows_in_a_loop_ends() -> None:
    assert name_of("path", "path = 'a'\nfor part in y:\n    path = os.path.join(path, part)") == ""


def test_many_alternatives_are_given_up() -> None:
    choices = "\n".join(f"if y == {n}:\n    part = 'p{n}'" for n in range(4))
    module = module_of(f"part = ''\n{choices}\nx.show(part, part + part)\n")
    (call,) = module.method_calls("show")
    assert len(module.paths.spellings(call.args[0])) == 5
    assert module.paths.spellings(call.args[1]) == {UNREAD}


@given(
    folders=st.lists(st.text("abc", min_size=1, max_size=3), min_size=1, max_size=4),
    ways=st.lists(st.sampled_from(["join", "slash", "plus", "format"]), min_size=4, max_size=4),
)
def test_the_name_is_the_last_part_however_it_is_put_together(folders: list[str], ways: list[str]) -> None:
    spelled, path = repr(folders[0]), folders[0]
    for part, way in zip(folders[1:], ways, strict=False):
        path = posixpath.join(path, part)
        spelled = {
            "join": f"os.path.join({spelled}, {part!r})",
            "slash": f"str(Path({spelled}) / {part!r})",
            "plus": f"({spelled} + '/' + {part!r})",
            "format": f"'{{}}/{{}}'.format({spelled}, {part!r})",
        }[way]
    assert name_of(spelled) == posixpath.basename(path)
