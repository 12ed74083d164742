"""Shows packages that are as they should be, and damaged ones, to the check of packages."""

from __future__ import annotations

import io
import sys
import tarfile
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import check_package
from bestehorn_llmmanager import __version__

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

NAME = f"bestehorn_llmmanager-{__version__}"
INFO = f"{NAME}.dist-info"
BUNDLE = "bedrock/package_data/bedrock_catalog_bundled.json"
METADATA = """\
Metadata-Version: 2.4
Name: bestehorn-llmmanager
Requires-Dist: boto3>=1.35.7
Requires-Dist: botocore>=1.35.7
Requires-Dist: filelock>=3.12
Requires-Dist: tqdm>=4.60; extra == "progress"

# bestehorn-llmmanager
"""


@dataclass
class Package:
    """What is to be in a wheel and an sdist; as it should be, until a test changes it."""

    wheel: dict[str, bytes]
    sdist: dict[str, bytes]
    wheel_name: str = f"{NAME}-py3-none-any.whl"
    sdist_name: str = f"{NAME}.tar.gz"
    more: list[str] = field(default_factory=list)

    def write(self, folder: Path) -> Path:
        """The folder of a build."""
        dist = folder / "dist"
        dist.mkdir()
        with zipfile.ZipFile(dist / self.wheel_name, "w") as wheel:
            for name, content in self.wheel.items():
                wheel.writestr(name, content)
        with tarfile.open(dist / self.sdist_name, "w:gz", compresslevel=1) as sdist:
            for name, content in self.sdist.items():
                member = tarfile.TarInfo(f"{NAME}/{name}")
                member.size = len(content)
                sdist.addfile(member, io.BytesIO(content))
        for name in self.more:
            (dist / name).touch()
        return dist


@pytest.fixture(scope="module")
def files() -> Mapping[str, bytes]:
    """The files of the package. Not to be changed."""
    return check_package.package_files()


@pytest.fixture
def package(files: Mapping[str, bytes]) -> Package:
    described = [
        f"{INFO}/{name}" for name in (*check_package.METADATA_FILES, check_package.LICENCE)
    ]
    return Package(
        wheel={f"bestehorn_llmmanager/{name}": content for name, content in files.items()}
        | dict.fromkeys(described, b"")
        | {f"{INFO}/METADATA": METADATA.encode()},
        sdist={f"src/bestehorn_llmmanager/{name}": content for name, content in files.items()}
        | {"src/bestehorn_llmmanager.egg-info/SOURCES.txt": b"", "PKG-INFO": b""},
    )


def test_a_package_that_is_as_it_should_be_passes(
    package: Package, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dist = package.write(tmp_path)
    assert check_package.main([str(dist), "--tag", f"v{__version__}"]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    assert f"{NAME}.tar.gz: " in said.out


def _without(name: str) -> Callable[[Package], None]:
    def change(package: Package) -> None:
        package.wheel.pop(f"bestehorn_llmmanager/{name}")
        package.sdist.pop(f"src/bestehorn_llmmanager/{name}")

    return change


def _in_wheel(name: str, content: bytes) -> Callable[[Package], None]:
    return lambda package: package.wheel.update({name: content})


def _in_sdist(name: str, content: bytes) -> Callable[[Package], None]:
    return lambda package: package.sdist.update({name: content})


def _described(old: str, new: str) -> Callable[[Package], None]:
    return _in_wheel(f"{INFO}/METADATA", METADATA.replace(old, new).encode())


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (_without("py.typed"), "whl lacks bestehorn_llmmanager/py.typed"),
        (_without("py.typed"), "tar.gz lacks bestehorn_llmmanager/py.typed"),
        (_in_wheel("test/test_package.py", b""), "whl has test/test_package.py, which"),
        (_in_wheel("bestehorn_llmmanager/old.py", b""), "whl has bestehorn_llmmanager/old.py"),
        (_in_wheel(f"bestehorn_llmmanager/{BUNDLE}", b"{}"), "whl has another best"),
        (_in_wheel(f"bestehorn_llmmanager/{BUNDLE}", b"{}"), "it is not a catalogue"),
        (_in_sdist("src/bestehorn_llmmanager/_version.py", b""), "tar.gz has another best"),
        (_in_wheel(f"{INFO}/licenses/OTHER", b""), "licenses/OTHER"),
        (_described("boto3>", "requests>"), "needs ['botocore', 'filelock', 'requests'], not"),
        (_described("; extra == ", "; python_version < "), "'tqdm'"),
        (_described("# bestehorn", "Bestehorn"), "description is not the README"),
    ],
)
def test_each_kind_of_damage_is_found(
    package: Package,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    damage: Callable[[Package], None],
    sentence: str,
) -> None:
    damage(package)
    assert check_package.main([str(package.write(tmp_path))]) == 1
    assert sentence in capsys.readouterr().err


def test_a_wheel_without_the_bundle_is_a_sentence(package: Package, tmp_path: Path) -> None:
    del package.wheel[f"bestehorn_llmmanager/{BUNDLE}"]
    dist = package.write(tmp_path)
    problems = list(
        check_package.artefact_problems(dist / package.wheel_name, dist / package.sdist_name)
    )
    assert f"{package.wheel_name} lacks bestehorn_llmmanager/{BUNDLE}" in problems
    assert "cannot be read" in problems[-1]


@pytest.mark.parametrize("tag", ["v0.9.0", __version__, f"v{__version__}rc1", "main"])
def test_a_tag_that_names_another_version_is_refused(
    package: Package, tmp_path: Path, capsys: pytest.CaptureFixture[str], tag: str
) -> None:
    assert check_package.main([str(package.write(tmp_path)), "--tag", tag]) == 1
    assert f"the tag is {tag!r}" in capsys.readouterr().err


@pytest.mark.parametrize("between", [" ", "\n"])
def test_a_description_that_waits_for_the_release_is_refused_with_a_tag(
    package: Package, tmp_path: Path, capsys: pytest.CaptureFixture[str], between: str
) -> None:
    waiting = f"{METADATA}\nUntil {__version__} is{between}released: `pip install .` in a clone.\n"
    package.wheel[f"{INFO}/METADATA"] = waiting.encode()
    dist = str(package.write(tmp_path))
    assert check_package.main([dist]) == 0
    assert check_package.main([dist, "--tag", f"v{__version__}"]) == 1
    assert f"still says 'Until {__version__} is" in capsys.readouterr().err


def test_the_sdist_takes_the_files_that_are_named_and_no_stray_notes() -> None:
    lines = (check_package.ROOT / "MANIFEST.in").read_text(encoding="utf-8").splitlines()
    names = [name for line in lines if line.startswith("include ") for name in line.split()[1:]]
    assert {"README.md", "CHANGELOG.md", "LICENSE"} < set(names)
    for name in names:
        assert (check_package.ROOT / name).is_file(), name


def test_artefacts_of_another_version_are_refused(
    package: Package, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    package.wheel_name = "bestehorn_llmmanager-0.9.0-py3-none-any.whl"
    package.sdist_name = "bestehorn_llmmanager-0.9.0.tar.gz"
    assert check_package.main([str(package.write(tmp_path))]) == 1
    assert capsys.readouterr().err.count(f"the version of this tree is {__version__}") == 2


@pytest.mark.parametrize("more", ["another.whl", "another.tar.gz"])
def test_what_is_left_of_another_build_is_refused(
    package: Package, tmp_path: Path, capsys: pytest.CaptureFixture[str], more: str
) -> None:
    package.more = [more]
    assert check_package.main([str(package.write(tmp_path))]) == 1
    assert "wheels and" in capsys.readouterr().err


def test_an_empty_folder_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check_package.main([str(tmp_path)]) == 1
    assert "0 wheels and 0 sdists" in capsys.readouterr().err


def test_what_cannot_be_installed_is_said_with_the_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wheel = tmp_path / f"{NAME}-py3-none-any.whl"
    wheel.write_text("no wheel")
    [problem] = check_package.installed_problems(wheel)
    assert problem.startswith(f"{wheel.name} cannot be installed:")
    assert "ERROR" in problem


def test_an_import_that_loads_little_passes_and_one_that_loads_more_does_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    python = Path(sys.executable)
    assert list(check_package.import_problems(python, tmp_path, "it")) == []
    assert "it: importing it takes " in capsys.readouterr().out
    [problem] = check_package.import_problems(python, tmp_path, "it", most_modules=1)
    assert problem.startswith("it loads ")
    bare = check_package.fresh_environment(tmp_path / "bare")
    [problem] = check_package.import_problems(bare, tmp_path, "it")
    assert "No module named 'bestehorn_llmmanager'" in problem
