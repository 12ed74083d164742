"""Runs the tests on every Python that the classifiers name and this machine has.

    nox                     the whole suite on each
    nox -- -x test/…        a part of it
    nox -s quick            on each: every module imports, and the quickstart runs, from a wheel
    nox -s tests-3.10       on one

Interpreters that are missing are skipped; those of pyenv need not be activated.
"""

from __future__ import annotations

import os
from pathlib import Path

import nox

HERE = Path(__file__).parent
PYTHONS = nox.project.python_versions(nox.project.load_toml(HERE / "pyproject.toml"))

nox.needs_version = ">=2025.10.14"
nox.options.sessions = ["tests"]
nox.options.default_venv_backend = "venv"
nox.options.download_python = "never"
nox.options.error_on_missing_interpreters = False  # also where `CI` is set

# The names that are for an extra, or for starting, are no business of a bare installation.
IMPORT_EVERY_MODULE = """
import importlib, pkgutil, sys, bestehorn_llmmanager as package
names = [module.name for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")]
names = [name for name in names if not name.endswith((".__main__", ".pytest_plugin"))]
for name in names:
    importlib.import_module(name)
print(f"Python {sys.version.split()[0]}: {len(names)} modules of {package.__version__} import")
"""


def offer_pyenv_interpreters() -> None:
    """Put them first in `PATH`: the shims that pyenv puts there fail for what is not activated."""
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    found = [str(path) for version in PYTHONS for path in root.glob(f"versions/{version}.*/bin")]
    os.environ["PATH"] = os.pathsep.join([*sorted(found), os.environ.get("PATH", "")])


offer_pyenv_interpreters()


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """The whole suite, or what is named after ``--``, with everything that it needs."""
    session.install("--quiet", "-e", ".[dev]")
    session.run("pytest", "-q", "-n", "2", *session.posargs)


@nox.session(python=PYTHONS)
def quick(session: nox.Session) -> None:
    """The wheel that is named after ``--``, or one built now, on the dependencies of users."""
    session.install("--quiet", *(session.posargs or ["."]))
    quickstart = HERE / "examples" / "quickstart.py"
    # Away from here, so that nothing but what is installed can be imported.
    with session.chdir(session.create_tmp()):
        session.run("python", "-W", "error", "-c", IMPORT_EVERY_MODULE, log=False)
        session.run(
            "python",
            str(quickstart),
            env={"AWS_EC2_METADATA_DISABLED": "true", "PYTHONPATH": None},
            silent=True,
        )
