"""Reads and replaces small files that only this user can write, and trusts no others."""

from __future__ import annotations

import contextlib
import itertools
import os
import stat
import time

from bestehorn_llmmanager._lazy import lazy_logger
from bestehorn_llmmanager.bedrock.models.catalog_paths import FALLBACK_CACHE_DIRECTORY

logger = lazy_logger(__name__)

MAX_FILE_BYTES = 64 * 1024 * 1024
"""A larger file is not ours: a catalogue of all regions has about a quarter of a megabyte."""

_ABANDONED_AFTER_SECONDS = 600
_TEMPORARY = ".tmp"
_write_number = itertools.count()  # tells threads apart


def read(path: str) -> bytes:
    """The bytes of a regular file that only its owner, who is this user or root, can write.

    Raises:
        OSError: There is no such file, it is none to be trusted, or larger than `MAX_FILE_BYTES`.
    """
    # O_NONBLOCK: a pipe planted under our name must not hang the program.
    descriptor = os.open(
        path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    )
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise OSError("it is not a regular file")
        if status.st_size > MAX_FILE_BYTES:
            raise OSError(f"it has {status.st_size} bytes, more than {MAX_FILE_BYTES}")
        _refuse_foreign(status)
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            return file.read(MAX_FILE_BYTES)
    finally:
        os.close(descriptor)


def _refuse_foreign(status: os.stat_result) -> None:
    if not hasattr(os, "geteuid"):  # Windows keeps other users out by the profile directory
        return
    if status.st_uid not in {os.geteuid(), 0}:
        raise OSError(f"it belongs to user {status.st_uid}")
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise OSError("other users can write it")


def described(error: Exception) -> str:
    """Why a file cannot be used, without anything that stands in it."""
    return str(error) if isinstance(error, OSError) else type(error).__name__


def write(path: str, content: bytes) -> None:
    """Replace the file in one move: a reader sees the old one or the new one, never a part.

    The file has mode 0600; directories that are missing are made, with mode 0700.

    Raises:
        OSError: It cannot be written; the old one is as it was.
    """
    prepare_directory(os.path.dirname(path))
    _remove_abandoned(path)
    temporary = f"{path}.{os.getpid()}-{next(_write_number)}-{time.time_ns()}{_TEMPORARY}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    descriptor = os.open(temporary, flags, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def delete(path: str) -> None:
    """Delete the file if there is one; a WARNING if it cannot be."""
    try:
        os.unlink(path)
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        logger.warning("path=%s error=%s | cache file not deleted", path, error)


def prepare_directory(directory: str) -> None:
    """Make the directory if needed; refuse the shared one if another user has taken its name.

    Raises:
        OSError: It cannot be made, or is not to be trusted.
    """
    _make_directory(directory)
    if directory == FALLBACK_CACHE_DIRECTORY:
        status = os.lstat(directory)
        if not stat.S_ISDIR(status.st_mode):
            raise OSError(f"{directory} is not a directory of its own")
        _refuse_foreign(status)


def _make_directory(directory: str) -> None:
    """Make it with all that lead to it, each for this user alone (`makedirs` opens the latter)."""
    if os.path.isdir(directory):
        return
    parent = os.path.dirname(directory)
    if parent and parent != directory:
        _make_directory(parent)
    try:
        os.mkdir(directory, 0o700)
    except FileExistsError:
        if not os.path.isdir(directory):
            raise


def _remove_abandoned(path: str) -> None:
    """Delete what writers that were killed have left behind."""
    directory, name = os.path.split(path)
    with contextlib.suppress(OSError), os.scandir(directory) as entries:
        for entry in entries:
            ours = entry.name.startswith(f"{name}.") and entry.name.endswith(_TEMPORARY)
            if ours and time.time() - entry.stat().st_mtime > _ABANDONED_AFTER_SECONDS:
                os.unlink(entry.path)
