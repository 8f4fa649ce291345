"""What CI runs: ``nox`` runs it all, ``nox -s tests`` one part, ``nox -l`` lists the parts."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterable
from pathlib import Path

import nox

nox.needs_version = ">=2025.5.1"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.reuse_venv = "yes"
nox.options.stop_on_first_error = False

PYPROJECT = nox.project.load_toml("pyproject.toml")
PACKAGE = Path("plivo_record_async")

PARALLEL = ("-n", str(2 * (os.cpu_count() or 1)), "--dist", "loadfile")
"""Two processes for each processor, because most tests wait for a server. ``conftest.py`` distributes them."""

ABOUT = """
import os, platform, sys
print(platform.python_implementation(), sys.version_info.releaselevel, "{}.{}".format(*sys.version_info))
print(os.path.realpath(sys.executable))
"""

IN_WHEEL_ONLY = """
import pathlib, sysconfig, plivo_record_async
found, wanted = pathlib.Path(plivo_record_async.__file__), pathlib.Path(sysconfig.get_path("purelib"))
assert found.is_relative_to(wanted), f"{found} is not in {wanted}: the checkout would be tested, not the wheel"
"""


def group(name: str) -> tuple[str, ...]:
    """The requirements of a dependency group; asked of nox, because pip reads groups only from 25.1 on."""
    return nox.project.dependency_groups(PYPROJECT, name)


def interpreters() -> dict[str, str]:
    """The released CPythons of this machine that the package supports, one of each version, the oldest first.

    Each is started once, because what lies on the PATH need not work: a shim of pyenv fails for a version that is
    installed but not selected.
    """
    home = Path.home()
    pyenv = Path(os.environ.get("PYENV_ROOT", home / ".pyenv"))
    uv = Path(os.environ.get("UV_PYTHON_INSTALL_DIR", home / ".local" / "share" / "uv" / "python"))
    folders = [
        Path(sys.base_prefix, "bin"),
        *map(Path, os.get_exec_path()),
        Path("/usr/local/bin"),
        Path("/usr/bin"),
        *sorted(pyenv.glob("versions/*/bin")),
        *sorted(uv.glob("*/bin")),
    ]
    found: dict[str, str] = {}
    for version in nox.project.python_versions(PYPROJECT):
        candidates = (folder / f"python{version}" for folder in folders)
        works = (path for name in candidates if name.exists() and (path := started(name, version)))
        if path := next(works, None):
            found[version] = path
    return found


def started(python: Path, version: str) -> str | None:
    """Where an interpreter really lies, if it can be started and is a released CPython of that version."""
    try:
        done = subprocess.run([python, "-c", ABOUT], capture_output=True, text=True, check=False, timeout=60)
    except OSError:
        return None
    about, _, path = done.stdout.partition("\n")
    return path.strip() if about == f"CPython final {version}" else None


PYTHONS = interpreters()
TESTED_PYTHONS = 2
"""The oldest and the newest."""
_PATHS = [*PYTHONS.values()] or [sys.executable]
OLDEST, NEWEST = _PATHS[0], _PATHS[-1]
SECOND = _PATHS[1] if len(_PATHS) > TESTED_PYTHONS else OLDEST
"""The Python for the lowest versions of the libraries: the oldest one between the oldest and the newest."""

CHECKED_BY_TYPES = "tests/typing"

RUN_ONCE = (
    CHECKED_BY_TYPES,
    "tests/emulator/console",
    "tests/emulator/control/test_openapi.py",
    "tests/fuzz",
    "tests/readings",
    "tests/stories/test_any_order.py",
    "tests/stories/test_batch_session.py",
    "tests/stories/test_deployment_page.py",
    "tests/stories/test_everything_is_resolved.py",
    "tests/stories/test_fleet_proof.py",
    "tests/stories/test_killed.py",
    "tests/stories/test_killed_batches.py",
    "tests/stories/test_lost_answers.py",
    "tests/stories/test_official_node_sdk.py",
    "tests/stories/test_other_sdks_page.py",
    "tests/stories/test_replicas_page.py",
    "tests/stories/test_site.py",
    "tests/stories/test_testing_page.py",
    "tests/testing/test_plugin.py",
    "tests/test_layers.py",
    "tests/test_noxfile.py",
    "tests/test_prose.py",
)
"""Tests of pages and of the source, and the longest stories and searches. They hardly depend on the version of Python,
and do not depend on what the wheel contains. They take half of the time of the whole suite."""

INDEPENDENT_OF_PYTHON = (
    *RUN_ONCE,
    "tests/faults/test_deadlines.py",
    "tests/faults/test_quota.py",
    "tests/faults/test_rows.py",
    "tests/stories",
    "tests/test_docs.py",
    "tests/test_readme.py",
)
"""Tests that hardly depend on the version of Python or of a library: of pages, and of the outcome of each fault."""


def without(paths: Iterable[str]) -> tuple[str, ...]:
    """The options with which pytest leaves out the tests in some files and folders."""
    return tuple(f"--ignore={path}" for path in paths)


LIBRARY = ("tests", *without(INDEPENDENT_OF_PYTHON))
"""The tests that run on each Python between the oldest and the newest. On the first of these Pythons, they run with the
lowest versions of the libraries. They take a third of the time of the whole suite."""


def install_foreign_programs(session: nox.Session) -> None:
    """Install what the tests need besides Python packages, if it is missing: a browser, and an SDK from npm."""
    session.run("python", "-m", "tests.support.chromium")
    session.run("python", "-m", "tests.support.official_node_sdk")


@nox.session
def lint(session: nox.Session) -> None:
    """Format, rules, layers, and the workflow of releases."""
    session.install("-e", ".", *group("lint"))
    session.run("ruff", "format", "--check")
    session.run("ruff", "check")
    session.run("lint-imports")
    session.run("zizmor", "--offline", "--quiet", ".github")


@nox.session
def types(session: nox.Session) -> None:
    """Two type checkers, both strict: the package and its tests, all Python in the documentation, and mistakes."""
    session.install("-e", ".", *group("types"))
    session.run("mypy")
    session.run("pyright")
    session.run("pyright", "--verifytypes", PACKAGE.name, "--ignoreexternal")  # it fails below 100 %
    session.run("pytest", CHECKED_BY_TYPES)


@nox.session(python=OLDEST)
def tests(session: nox.Session) -> None:
    """The whole suite and every code block in the documentation, on the oldest Python found, with coverage."""
    session.install("-e", ".", *group("tests"))
    install_foreign_programs(session)
    if session.posargs:
        session.run("pytest", *session.posargs)
        return
    session.run("coverage", "erase")
    session.run("coverage", "run", "-m", "pytest", *PARALLEL, *without([CHECKED_BY_TYPES]))
    session.run("coverage", "combine", "--quiet")
    session.run("coverage", "report")


def library(session: nox.Session) -> None:
    """The tests of the library itself, on a Python between the oldest and the newest."""
    session.install("-e", ".", *group("tests"))
    session.run("pytest", *(session.posargs or (*PARALLEL, *LIBRARY)))


for _version, _path in PYTHONS.items():
    if _path not in {OLDEST, SECOND, NEWEST}:
        nox.session(python=_path, name=f"library-{_version}")(library)


@nox.session(python=SECOND)
def lowest(session: nox.Session) -> None:
    """The tests of the library with the lowest promised version of each dependency, on the second oldest Python."""
    constraints = Path(session.virtualenv.location) / "lowest.txt"
    session.install("uv")
    options = ("--all-extras", "--resolution", "lowest-direct", "--quiet", "--output-file", str(constraints))
    session.run("uv", "pip", "compile", "pyproject.toml", *options, silent=True)
    session.install("-c", str(constraints), "-e", ".", *group("tests"))
    session.run("pytest", *(session.posargs or (*PARALLEL, *LIBRARY)))


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation as HTML in docs/_build/html; warnings and references without a target are errors."""
    session.install("-e", ".[all]", *group("docs"))
    session.run("sphinx-build", "-W", "-n", "--keep-going", "-b", "html", "docs", "docs/_build/html")


@nox.session(python=NEWEST, reuse_venv=False)
def package(session: nox.Session) -> None:
    """Build both archives, look inside, and run the tests with the installed wheel, on the newest Python found."""
    if len(PYTHONS) < TESTED_PYTHONS:
        found = " ".join(f"CPython {version}" for version in PYTHONS) or "none"
        message = f"CI runs the suite on two of the supported Pythons, and this machine has too few: {found}"
        if os.environ.get("CI") or not PYTHONS:
            session.error(message)
        session.warn(message)
    dist = Path("dist").resolve()  # not session.create_tmp, which makes all temporary files lie in the checkout
    shutil.rmtree(dist, ignore_errors=True)
    session.install("build")
    session.run("python", "-m", "build", "--outdir", str(dist), silent=True)
    (sdist,), (wheel,) = dist.glob("*.tar.gz"), dist.glob("*.whl")
    check_contents(session, sdist, wheel)
    session.install(f"plivo-record-async[all] @ {wheel.as_uri()}", *group("tests"))
    install_foreign_programs(session)
    # Without both of these pytest would find the checkout first.
    safe = {"PYTHONSAFEPATH": "1"}
    session.run("python", "-c", IN_WHEEL_ONLY, env=safe)
    paths = ("tests", "docs", "README.md", *without(RUN_ONCE))
    session.run("pytest", *PARALLEL, "--import-mode=importlib", *paths, env=safe)


def check_contents(session: nox.Session, sdist: Path, wheel: Path) -> None:
    """The wheel holds the package's files and nothing else; the sdist also what is needed to test and document."""
    sources = {str(path) for path in PACKAGE.rglob("*") if path.is_file() and "__pycache__" not in path.parts}
    with zipfile.ZipFile(wheel) as archive:
        wheel_names = archive.namelist()
    with tarfile.open(sdist) as archive:
        sdist_names = {name.partition("/")[2] for name in archive.getnames()}
    packed = {name for name in wheel_names if ".dist-info/" not in name}
    if packed != sources:
        session.error(f"the wheel differs from the package in {sorted(packed ^ sources)}")
    if not any(name.endswith(".dist-info/licenses/LICENSE") for name in wheel_names):
        session.error("the wheel has no licence")
    wanted = sources | {
        "README.md",
        "LICENSE",
        "pyproject.toml",
        "noxfile.py",
        "conftest.py",
        "hatch_build.py",
        "tests/conftest.py",
    }
    if missing := wanted - sdist_names:
        session.error(f"the sdist lacks {sorted(missing)}")


@nox.session
def demo(session: nox.Session) -> None:
    """What a newcomer sees first, with nothing installed but what the demo needs."""
    session.install("-e", ".[cli,emulator]")
    session.run("plivo-record", "demo", *session.posargs)


@nox.session(default=False)
def coverage_by_file(session: nox.Session) -> None:
    """Check that each package file is covered by its own test file; arguments: the package files to check."""
    session.install("-e", ".", *group("tests"))
    install_foreign_programs(session)
    session.run("python", "-m", "tests.coverage_by_file", *session.posargs)


@nox.session(default=False)
def screenshots(session: nox.Session) -> None:
    """Make the pictures of the documentation in docs/_static: the emulator's console, and a trace."""
    session.install("-e", ".", *group("tests"))
    install_foreign_programs(session)
    session.run("python", "-m", "tests.emulator.console.screenshots")
    session.run("python", "-m", "tests.telemetry.trace_picture")


@nox.session(default=False)
def bench(session: nox.Session) -> None:
    """The comparison with other SDKs; arguments after ``--`` go to it."""
    session.install("-e", ".[fast]", "-r", "bench/requirements.txt")
    session.run("python", "-m", "bench", *session.posargs)


@nox.session(default=False)
def fuzz(session: nox.Session) -> None:
    """Search for callbacks that get through, guided by coverage; Linux only. Arguments go to libFuzzer."""
    session.install("-e", ".", "atheris")
    corpus = session.create_tmp()
    arguments = session.posargs or ["-max_total_time=60"]
    session.run("python", "-m", "tests.fuzz", *arguments, "-dict=tests/fuzz/callbacks.dict", corpus, "tests/fuzz/seeds")


@nox.session(default=False)
def readings(session: nox.Session) -> None:
    """Try a million other callbacks under the signatures of genuine ones; arguments: how many, and the seed."""
    session.install("-e", ".", *group("tests"))
    session.run("python", "-m", "tests.readings", *session.posargs)
