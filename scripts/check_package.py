"""Says what is wrong with a built wheel and sdist, and tries both as a user would.

    python scripts/check_package.py DIST [--tag TAG] [--install]

Looks at what is in DIST: one wheel and one sdist of the version of this tree (which TAG names as
`v` and the version), each with exactly the files of the package, byte for byte. With --tag, the
description must not say any more that the version is to be released. With --install, each goes into a fresh environment, where the quickstart runs and importing the package must stay small.
Exit status: 0 all is well, 1 something is wrong, 2 wrong usage.
"""

from __future__ import annotations

import argparse
import os
import re
import statistics
import subprocess
import sys
import tarfile
import tempfile
import venv
import zipfile
from email.parser import BytesParser
from pathlib import Path
from typing import TYPE_CHECKING

from bestehorn_llmmanager import __version__
from bundle_validation import bundle_problems
from catalog_files import read_catalog_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = "bestehorn_llmmanager"
DEPENDENCIES = {"boto3", "botocore", "filelock"}
METADATA_FILES = {"METADATA", "RECORD", "WHEEL", "entry_points.txt", "top_level.txt"}
LICENCE = "licenses/LICENSE"
# Four modules of ours and the standard library are loaded on CPython 3.10 to 3.14; boto3 has 357.
MOST_MODULES = 20
IMPORTS = 5
_UNRELEASED = re.compile(r"Until \d\S*\s+is\s+released")
IMPORT = f"""if True:
    import sys, time
    before, start = set(sys.modules), time.perf_counter()
    import {PACKAGE}
    seconds = time.perf_counter() - start
    print(seconds * 1000, len(set(sys.modules) - before), {PACKAGE}.__version__)
"""


def main(argv: Sequence[str] | None = None) -> int:
    options = _options(argv)
    wheels, sdists = (sorted(options.dist.glob(end)) for end in ("*.whl", "*.tar.gz"))
    if (len(wheels), len(sdists)) != (1, 1):
        return _failed([f"{options.dist} has {len(wheels)} wheels and {len(sdists)} sdists"])
    [wheel], [sdist] = wheels, sdists
    problems = [*artefact_problems(wheel, sdist), *tag_problems(options.tag, wheel)]
    if options.install and not problems:
        problems = [p for artefact in (wheel, sdist) for p in installed_problems(artefact)]
    return _failed(problems) if problems else 0


def artefact_problems(wheel: Path, sdist: Path) -> Iterator[str]:
    """What is wrong with the names, files, metadata and bundle of the two."""
    for path, name in (
        (wheel, f"{PACKAGE}-{__version__}-py3-none-any.whl"),
        (sdist, f"{PACKAGE}-{__version__}.tar.gz"),
    ):
        if path.name != name:
            yield f"{path.name} should be {name}: the version of this tree is {__version__}"
    in_tree = {f"{PACKAGE}/{name}": content for name, content in package_files().items()}
    in_wheel = wheel_files(wheel)
    in_sdist = sdist_files(sdist)
    described = {name: c for name, c in in_wheel.items() if ".dist-info/" in name}
    package = {name: c for name, c in in_wheel.items() if name not in described}
    yield from _file_problems(wheel.name, package, in_tree)
    yield from _metadata_problems(described)
    sources = {n.removeprefix("src/"): c for n, c in in_sdist.items() if n.startswith("src/")}
    sources = {n: c for n, c in sources.items() if not n.partition("/")[0].endswith(".egg-info")}
    yield from _file_problems(sdist.name, sources, in_tree)
    try:
        yield from bundle_problems(read_catalog_file(wheel))
    except ValueError as error:
        yield str(error)
    for path, files in ((wheel, in_wheel), (sdist, in_sdist)):
        print(f"{path.name}: {path.stat().st_size:,} bytes, {len(files)} files")


def package_files() -> dict[str, bytes]:
    """The files of the package in this tree, by their path in it."""
    folder = ROOT / "src" / PACKAGE
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix != ".pyc"
    }


def wheel_files(wheel: Path) -> dict[str, bytes]:
    """The files of a wheel."""
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def sdist_files(sdist: Path) -> dict[str, bytes]:
    """The files of an sdist, below its one folder."""
    files = {}
    with tarfile.open(sdist) as archive:
        for member in archive:
            content = archive.extractfile(member)
            if content:
                files[member.name.partition("/")[2]] = content.read()
    return files


def _file_problems(
    artefact: str, found: Mapping[str, bytes], expected: Mapping[str, bytes]
) -> Iterator[str]:
    for name in sorted({*found, *expected}):
        if name not in found:
            yield f"{artefact} lacks {name}"
        elif name not in expected:
            yield f"{artefact} has {name}, which the tree does not have"
        elif found[name] != expected[name]:
            yield f"{artefact} has another {name} than the tree"


def _metadata_problems(described: Mapping[str, bytes]) -> Iterator[str]:
    folder = f"{PACKAGE}-{__version__}.dist-info"
    expected = {f"{folder}/{name}" for name in (*METADATA_FILES, LICENCE)}
    if set(described) != expected:
        yield f"the wheel's metadata differ in {sorted(set(described) ^ expected)}"
        return
    metadata = BytesParser().parsebytes(described[f"{folder}/METADATA"])
    required = {
        "".join(c if c.isalnum() else " " for c in line).split()[0]
        for line in metadata.get_all("Requires-Dist", [])
        if "extra ==" not in line
    }
    if required != DEPENDENCIES:
        yield f"the wheel needs {sorted(required)}, not {sorted(DEPENDENCIES)}"
    payload = metadata.get_payload()
    if not isinstance(payload, str) or "# bestehorn-llmmanager" not in payload:
        yield "the wheel's description is not the README"


def tag_problems(tag: str | None, wheel: Path) -> Iterator[str]:
    """Why the wheel must not be released under the tag, if there is one."""
    if tag is None:
        return
    if tag != f"v{__version__}":
        yield f"the tag is {tag!r}, the version {__version__}: `v{__version__}` was expected"
    metadata = wheel_files(wheel).get(f"{PACKAGE}-{__version__}.dist-info/METADATA", b"")
    if unreleased := _UNRELEASED.search(metadata.decode("utf-8", "replace")):
        yield f"the description, which is the README, still says {unreleased[0]!r}"


def installed_problems(artefact: Path) -> Iterator[str]:
    """What goes wrong when the artefact is installed, imported and used; stops at the first."""
    with tempfile.TemporaryDirectory(prefix="package-") as folder:
        place = Path(folder).resolve()
        python = fresh_environment(place / "venv")
        pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", str(python))
        steps = {
            "cannot be installed": (*pip, "install", "--quiet", str(artefact.resolve())),
            "does not fit its dependencies": (*pip, "check"),
            "cannot run the quickstart": (
                str(python),
                "-W",
                "error",
                str(ROOT / "examples" / "quickstart.py"),
            ),
        }
        for what, command in steps.items():
            done = _run(command, place)
            if done.returncode:
                yield f"{artefact.name} {what}:\n{done.stdout}{done.stderr}"
                return
        print(f"{artefact.name}: in a fresh environment the quickstart runs")
        yield from import_problems(python, place, artefact.name)


def fresh_environment(place: Path) -> Path:
    """The Python of a new environment without pip, which takes longer than the rest."""
    venv.create(place, symlinks=os.name != "nt")
    return place / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def import_problems(
    python: Path, folder: Path, name: str, *, most_modules: int = MOST_MODULES
) -> Iterator[str]:
    """Whether importing the package loads more than it should; prints what it costs.

    Modules are counted because time says more of the machine than of the package.
    """
    runs = [_run((str(python), "-I", "-c", IMPORT), folder) for _ in range(IMPORTS)]
    for done in runs:
        if done.returncode:
            yield f"{name} cannot be imported:\n{done.stderr}"
            return
    times, modules, versions = zip(*(done.stdout.split() for done in runs), strict=True)
    time = statistics.median(map(float, times))
    print(f"{name}: importing it takes {time:.1f} ms and loads {modules[0]} modules")
    if int(modules[0]) > most_modules:
        yield f"{name} loads {modules[0]} modules when imported, more than {most_modules}"
    if set(versions) != {__version__}:
        yield f"{name} installs version {versions[0]}, not {__version__}"


def _run(command: Sequence[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run it where nothing but what is installed can be imported, and nobody has credentials."""
    ours = ("AWS_", "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
    environment = {name: v for name, v in os.environ.items() if not name.startswith(ours)}
    nowhere = {
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": str(folder / "no-config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(folder / "no-credentials"),
    }
    return subprocess.run(
        command,
        cwd=folder,
        env={**environment, **nowhere},
        capture_output=True,
        text=True,
        check=False,
    )


def _failed(problems: Sequence[str]) -> int:
    print("check_package: " + "\ncheck_package: ".join(problems), file=sys.stderr)
    return 1


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("dist", type=Path, metavar="DIST", help="the folder of a build")
    parser.add_argument("--tag", help="the tag of the release")
    parser.add_argument("--install", action="store_true", help="try both in fresh environments")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
