"""Rooms import one way, and the web process stays light."""

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from analysis import results
from training import checkpoint

ROOT = Path(__file__).parents[1]
ROOMS = ("settings", "study", "generation", "training", "music", "analysis", "accounts")
MAY_IMPORT = {
    "settings": {"study", "generation", "accounts"},
    "study": {"generation", "analysis", "music", "accounts"},
    "generation": {"training", "music", "accounts"},
    "training": {"music"},
    "music": set(),
    "analysis": set(),
    "accounts": set(),
}
NO_DJANGO = {"music", "training", "analysis"}
HEAVY = ("tensorflow", "keras", "statsmodels", "training.networks", "training.loop", "training.sampling")


def imports(path):
    """Return every module that the file imports, at the top or inside a function."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add("relative: " + ast.unparse(node))
    return names


def arrows(room):
    return {(path.relative_to(ROOT).as_posix(), name) for path in (ROOT / room).rglob("*.py") for name in imports(path)}


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_only_what_the_design_allows(room):
    wrong = {
        (path, name)
        for path, name in arrows(room)
        if name.split(".")[0] in set(ROOMS) - {room} - MAY_IMPORT[room] or name.startswith("relative")
    }

    assert len(arrows(room)) > 0
    assert wrong == set()


@pytest.mark.parametrize("room", sorted(NO_DJANGO))
def test_the_numeric_rooms_know_nothing_of_django(room):
    assert {arrow for arrow in arrows(room) if arrow[1].split(".")[0] == "django"} == set()


def test_music_starts_no_tensorflow():
    assert {arrow for arrow in arrows("music") if arrow[1].split(".")[0] in {"tensorflow", "keras"}} == set()


def test_the_web_process_loads_nothing_heavy():
    code = (
        "import django, sys; django.setup(); from django.urls import get_resolver; get_resolver().url_patterns;"
        "from django.core.handlers.wsgi import WSGIHandler; WSGIHandler();"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )

    loaded = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={"DJANGO_SETTINGS_MODULE": "settings.test", "PATH": ""},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    assert loaded.stdout.strip() == "[]"


def test_there_is_one_version():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]

    assert {results.VERSION, checkpoint.VERSION} == {project}
