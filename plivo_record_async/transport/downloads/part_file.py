"""The partial file of a download, ``<path>.part``, and the description of the whole file, ``<path>.part.json``."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from pathlib import Path
from typing import BinaryIO, Self

import attrs

from plivo_record_async.protocol.media.resuming import RemoteFile

if sys.platform == "win32":
    import msvcrt

    def _lock(file: BinaryIO) -> None:
        file.seek(0)
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock(file: BinaryIO) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


__all__ = ["PartFile"]


@attrs.define(kw_only=True)
class PartFile:
    """The partial file of a download. All methods block.

    Attributes:
        path: The path of the complete file.
        overwrite: Whether an existing file at this path may be replaced.
        url: The URL of the file.
        remote: The file on the server to which the received bytes belong.
        received: The number of bytes in the partial file.
    """

    path: Path
    overwrite: bool
    url: str
    remote: RemoteFile
    received: int
    _file: BinaryIO = attrs.field(alias="file")

    @classmethod
    def open(cls, path: Path, url: str, *, overwrite: bool) -> Self:
        """Open and lock the partial file, and read what an earlier download has left.

        Args:
            path: The path of the complete file.
            url: The URL of the file.
            overwrite: Whether an existing file at this path may be replaced.

        Raises:
            FileExistsError: A file exists at the path, and ``overwrite`` is False.
            BlockingIOError: Another download has locked the partial file.
            OSError: The partial file cannot be opened.
        """
        part, description = _part(path), _description(path)
        while True:
            _check_free(path, overwrite=overwrite)
            file = part.open("a+b")
            try:
                try:
                    _lock(file)
                except (BlockingIOError, PermissionError) as error:  # the latter on Windows
                    raise BlockingIOError(f"another download is writing {part}") from error
                # The download that held the lock before may have renamed the file after it was opened here.
                if _is_at(part, file):
                    break
            except BaseException:
                file.close()
                raise
            file.close()
        received = file.seek(0, os.SEEK_END)
        remote = _read(description, url) if received else RemoteFile()
        return cls(path=path, overwrite=overwrite, url=url, remote=remote, received=received, file=file)

    def restart(self, remote: RemoteFile) -> None:
        """Empty the partial file, and store the description of the file that will be written to it.

        Args:
            remote: The file on the server.
        """
        self._file.truncate(0)
        self.remote, self.received = remote, 0
        text = json.dumps({"url": self.url, **attrs.asdict(remote)})
        temporary = _new_description(self.path)
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(_description(self.path))

    def write(self, data: bytes) -> None:
        """Append bytes to the partial file.

        Args:
            data: The bytes.
        """
        self._file.write(data)
        self.received += len(data)

    def finish(self) -> None:
        """Write everything to the disk, and rename the partial file to the complete one.

        Raises:
            FileExistsError: A file was created at the path in the meantime, and ``overwrite`` is False.
            OSError: The file cannot be written or renamed; for example, the disk is full.
        """
        self._file.flush()
        os.fsync(self._file.fileno())
        self._close_on_windows()
        if self.overwrite:
            _part(self.path).replace(self.path)
        else:
            _link(_part(self.path), self.path)
        self._forget()
        _sync(self.path.parent)

    def discard(self) -> None:
        """Delete the partial file and its description."""
        self._close_on_windows()
        _part(self.path).unlink(missing_ok=True)
        self._forget()

    def close(self) -> None:
        """Close the partial file, which releases its lock. If it is empty, delete it."""
        if not self.received and not self._file.closed and not os.fstat(self._file.fileno()).st_size:
            self.discard()
        self._file.close()

    def _forget(self) -> None:
        """Delete the description of the file, and a new one that a killed process may have left."""
        _description(self.path).unlink(missing_ok=True)
        _new_description(self.path).unlink(missing_ok=True)

    def _close_on_windows(self) -> None:
        """Close the file on Windows, which does not rename or delete an open file. Elsewhere, the lock is kept."""
        if sys.platform == "win32":
            self._file.close()


def _check_free(path: Path, *, overwrite: bool) -> None:
    if path.exists() and not overwrite:
        raise FileExistsError(f"{path} exists: pass overwrite=True to replace it")


def _is_at(path: Path, file: BinaryIO) -> bool:
    """Return whether an open file is still the one at a path."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _part(path: Path) -> Path:
    return path.with_name(f"{path.name}.part")


def _description(path: Path) -> Path:
    return path.with_name(f"{path.name}.part.json")


def _new_description(path: Path) -> Path:
    return path.with_name(f"{path.name}.part.json.new")


def _read(description: Path, url: str) -> RemoteFile:
    """Return the file on the server to which a partial file belongs, or an empty description if it is not certain."""
    try:
        known = json.loads(description.read_text(encoding="utf-8"))
        if known.pop("url") == url:
            return RemoteFile(**known)
    except (OSError, ValueError, TypeError, AttributeError, KeyError, RecursionError):
        pass
    return RemoteFile()


def _link(part: Path, path: Path) -> None:
    """Rename a file, and raise an error if the new name exists."""
    try:
        path.hardlink_to(part)
    except FileExistsError as error:
        raise FileExistsError(f"{path} exists: pass overwrite=True to replace it") from error
    except OSError:  # a file system without hard links
        _check_free(path, overwrite=False)
        part.replace(path)
    else:
        part.unlink()


def _sync(directory: Path) -> None:
    """Write the entries of a directory to the disk, if the system supports it."""
    if sys.platform == "win32":
        return
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
