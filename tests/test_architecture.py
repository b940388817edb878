"""Laws of the house: which way imports run, what stands on the top level, and what nobody may do."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = (ROOT / "xpshpc", ROOT / "cluster")
LONGEST_MODULE = 350
LONGEST_JOB_SCRIPT = 40

TOP_LEVEL = {"cluster", "xpshpc", "jobs", "tests", "benchmarks", "docs", "README.md", "pyproject.toml", "Makefile"}
TOP_LEVEL |= {".ci", ".gitignore", "LICENSE", "CHANGELOG.md", "CONTRIBUTING.md", "CITATION.cff"}

HEAVY = {"tensorflow", "keras", "horovod", "mpi4py", "dask", "distributed", "zarr", "matplotlib", "scipy", "xraylib"}
UNSAFE = {"pickle", "cPickle", "dill", "cloudpickle", "shelve", "marshal", "joblib"}


def modules() -> list[Path]:
    return sorted(path for package in PACKAGES for path in package.rglob("*.py"))


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def imported_packages(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.partition(".")[0]


def called_names(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            yield node.func.id


def test_imports_run_one_way(tmp_path: Path) -> None:
    """The contracts of pyproject.toml hold. cluster/ is read where it is imported from, as xpshpc.cluster."""
    hidden = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "xpshpc", tmp_path / "xpshpc", ignore=hidden)
    shutil.copytree(ROOT / "cluster", tmp_path / "xpshpc" / "cluster", ignore=hidden)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    done = subprocess.run(
        [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path), "NO_COLOR": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert " 0 broken" in done.stdout


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="not a checkout")
def test_the_top_level_holds_what_it_should() -> None:
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    found = {line.partition("/")[0] for line in tracked.splitlines()}
    assert found - TOP_LEVEL == set()


def test_no_module_is_too_long_to_be_read_at_once() -> None:
    lengths = {name_of(path): len(path.read_text().splitlines()) for path in modules()}
    assert {name: length for name, length in lengths.items() if length > LONGEST_MODULE} == {}


def test_job_scripts_are_short() -> None:
    lengths = {name_of(path): len(path.read_text().splitlines()) for path in (ROOT / "jobs").glob("*.sbatch")}
    assert {name: length for name, length in lengths.items() if length > LONGEST_JOB_SCRIPT} == {}


def loaded_after(code: str) -> set[str]:
    """The modules that a fresh interpreter has loaded after running this code."""
    whole = f"import sys\n{code}\nsys.stdout.write('\\nLOADED ' + ' '.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", whole], capture_output=True, text=True, cwd="/")
    assert done.returncode == 0, done.stderr
    return set(done.stdout.rpartition("LOADED ")[2].split())


def test_help_comes_before_anything_heavy_is_loaded() -> None:
    module, _, function = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"][
        "xpshpc"
    ].partition(":")
    code = f"""
from {module} import {function}
sys.argv = ["xpshpc", "--help"]
try:
    {function}()
except SystemExit as end:
    assert not end.code, end.code
"""
    assert HEAVY & loaded_after(code) == set()


@pytest.mark.parametrize("module", ["xpshpc.cluster.profile", "xpshpc.config", "xpshpc.spectra.domain"])
def test_a_job_file_is_validated_before_anything_heavy_is_loaded(module: str) -> None:
    assert HEAVY & loaded_after(f"import {module}") == set()


def test_packages_import_nothing_heavy_by_themselves() -> None:
    packages = [path for path in modules() if path.name == "__init__.py"]
    loaded = {name_of(path): HEAVY & set(imported_packages(ast.parse(path.read_text()))) for path in packages}
    assert {name: heavy for name, heavy in loaded.items() if heavy} == {}


def test_only_the_command_line_prints_and_nobody_evaluates_text() -> None:
    found = {name_of(path): set(called_names(ast.parse(path.read_text()))) for path in modules()}
    printing = {name for name, calls in found.items() if "print" in calls}
    assert {name for name in printing if not name.startswith("xpshpc/cli")} == set()
    assert {name for name, calls in found.items() if calls & {"eval", "exec", "compile"}} == set()


TAKES_PICKLES_APART = "xpshpc/inert_pickle.py"
"""Reads what is published as a pickle; every name in it stands for a class that only keeps what it is given."""


def test_nobody_pickles() -> None:
    found = {name_of(path): UNSAFE & set(imported_packages(ast.parse(path.read_text()))) for path in modules()}
    assert {name: unsafe for name, unsafe in found.items() if unsafe} == {TAKES_PICKLES_APART: {"pickle"}}


def test_every_package_is_installed() -> None:
    """A folder with modules that pyproject.toml does not list is missing from an installation that is no checkout."""
    listed = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"])
    folders = {path.parent.relative_to(ROOT) for path in modules()}
    found = {str(folder).replace("/", ".") for folder in folders}
    scripts = {"xpshpc.jobs"}  # a folder of words, without a module
    assert {f"xpshpc.{name}" if name.split(".")[0] == "cluster" else name for name in found} | scripts == listed
