"""The page on how to add a cloud, followed to the letter on a copy of the tree, for a cloud that does not exist."""

import asyncio
import re
import shutil
import sys
from pathlib import Path

from tests.processes import clean_environment

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "add-a-cloud.md").read_text()
MADE_UP = ROOT / "tests" / "moon"
HOME = "orchestrator/adapters/clouds/moon"
FIVE_PLACES = (
    f"{HOME}/",
    "orchestrator/adapters/clouds/registry.py",
    "orchestrator/settings.py",
    "tests/contract/test_cloud.py",
    "tests/contract/moon_stage.py",  # what the parameter names
    "tests/data/moon/",
)
BEFORE_LINE = {
    "orchestrator/adapters/clouds/registry.py": "    VAST: vast,\n",
    "orchestrator/settings.py": "    replicate_api_token:",
    "tests/contract/test_cloud.py": '    "vast": vast_stage,\n',
}
ASK = """
from orchestrator.adapters.clouds.registry import CLOUDS
from orchestrator.settings import Settings
settings = Settings(_env_file=None, MOON_API_KEY="secret")
print(sorted(settings.cloud_keys()), settings.rents_for_real, "moon" in CLOUDS)
"""


def files_of(tree: Path) -> dict[str, bytes]:
    found = (path for part in ("orchestrator", "tests") for path in (tree / part).rglob("*") if path.is_file())
    return {str(path.relative_to(tree)): path.read_bytes() for path in found if "__pycache__" not in path.parts}


def copy_of_the_tree(folder: Path) -> Path:
    """What the contract suite for clouds needs of it."""
    tree = folder / "tree"
    leave_out = shutil.ignore_patterns("__pycache__", "moon", "component", "browser", "system")
    for part in ("orchestrator", "tests"):
        shutil.copytree(ROOT / part, tree / part, ignore=leave_out)
    shutil.copy(ROOT / "pyproject.toml", tree)
    return tree


def add(tree: Path) -> None:
    """Do what the page says."""
    as_it_will_be = [("tests.moon.cloud", f"{HOME}.cloud"), ("from tests.moon import", f"from {HOME} import")]
    for name, place in (("cloud", HOME), ("wire", HOME), ("stage", "tests/contract")):
        text = (MADE_UP / f"{name}.py").read_text()
        for made_up, real in as_it_will_be:
            text = text.replace(made_up, real.replace("/", "."))
        text = text.replace('Path(__file__).parent / "recordings"', 'Path(__file__).parents[1] / "data" / "moon"')
        path = tree / place / ("moon_stage.py" if name == "stage" else f"{name}.py")
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    (tree / HOME / "__init__.py").touch()
    shutil.copytree(MADE_UP / "recordings", tree / "tests/data/moon")
    for place, block in re.findall(r"^```python\n# (\S+)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL):
        _insert(tree / place, block, BEFORE_LINE[place])


def _insert(path: Path, block: str, before: str) -> None:
    """Imports of *block* go to the other imports, the rest *before* that line."""
    text = path.read_text()
    lines = block.splitlines(keepends=True)
    imports = "".join(line for line in lines if line.startswith("from "))
    rest = "".join(line for line in lines if line.strip() and not line.startswith("from "))
    assert text.count(before) == 1, path
    assert imports or "settings" in path.name
    first_import = text.index("from orchestrator." if "orchestrator" in path.parts else "from tests.")
    text = text[:first_import] + imports + text[first_import:]
    path.write_text(text.replace(before, rest + before))


async def python(tree: Path, *args: str) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *args,
        cwd=tree,
        env=clean_environment(GLOWPLUG_DATA=str(tree / "data")),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await process.communicate()
    return process.returncode or 0, out.decode()


async def test_a_cloud_is_added_in_five_places_and_no_other(tmp_path: Path) -> None:
    tree = copy_of_the_tree(tmp_path)
    before = files_of(tree)

    add(tree)

    after = files_of(tree)
    touched = {path for path in after if after[path] != before.get(path)}
    assert before.keys() <= after.keys()
    assert [path for path in touched if not path.startswith(FIVE_PLACES)] == []
    assert all(any(path.startswith(place) for path in touched) for place in FIVE_PLACES)

    status, told = await python(
        tree, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/contract/test_cloud.py", "-kmoon"
    )
    assert status == 0, told
    assert int(re.findall(r"(\d+) passed", told)[0]) > 50

    status, told = await python(tree, "-c", ASK)
    assert (status, told) == (0, "['moon'] True True\n")

    status, told = await python(tree, "-m", "orchestrator", "e2e", "--cloud", "moon")
    assert (status, told) == (2, "Renting at moon needs MOON_API_KEY; the sandbox has no moon.\n")
