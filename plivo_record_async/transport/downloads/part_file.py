"""The file on disk while it is downloaded: ``<path>.part``, with a lock, and what it is a part of."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from pathlib import Path
from typing import BinaryIO, Self

import attrs

from plivo_record_async.protocol.media.files import AUDIO_HEAD
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
    """A part of a download. All methods block.

    Attributes:
        path: The path of the whole file.
        overwrite: Whether a file that exists there may be replaced.
        url: The URL of the file.
        remote: What the part is a part of.
        received: The number of bytes that are in the part.
    """

    path: Path
    overwrite: bool
    url: str
    remote: RemoteFile
    received: int
    _file: BinaryIO

    @classmethod
    def open(cls, path: Path, url: str, *, overwrite: bool) -> Self:
        """Open and lock the part, and read what a download before has left.

        Raises:
            FileExistsError: The file exists, and may not be replaced.
            BlockingIOError: Another download has locked the part.
            OSError: The part cannot be opened.
        """
        part, description = _part(path), _description(path)
        while True:
            _check_free(path, overwrite=overwrite)
            file = part.open("a+b")
            try:
                try:
                    _lock(file)
                except OSError as error:
                    raise BlockingIOError(f"another download is writing {part}") from error
                # The download that had the lock before may have finished, and renamed the file that was opened here.
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
        """Empty the part, and note what it will be a part of."""
        self._file.truncate(0)
        self.remote, self.received = remote, 0
        text = json.dumps({"url": self.url, **attrs.asdict(remote)})
        temporary = _description(self.path).with_name(f"{_description(self.path).name}.new")
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(_description(self.path))

    def write(self, data: bytes | bytearray) -> None:
        """Append to the part."""
        self._file.write(data)
        self.received += len(data)

    def head(self) -> bytes:
        """Return the first bytes of the part."""
        self._file.flush()
        self._file.seek(0)
        return self._file.read(AUDIO_HEAD)

    def finish(self) -> None:
        """Write everything to the disk, and give the part its name.

        Raises:
            FileExistsError: The file has come into being meanwhile, and may not be replaced.
            OSError: The disk is full, for example.
        """
        self._file.flush()
        os.fsync(self._file.fileno())
        if self.overwrite:
            _part(self.path).replace(self.path)
        else:
            _link(_part(self.path), self.path)
        _description(self.path).unlink(missing_ok=True)
        _sync(self.path.parent)

    def discard(self) -> None:
        """Delete the part."""
        _part(self.path).unlink(missing_ok=True)
        _description(self.path).unlink(missing_ok=True)

    def close(self) -> None:
        """Close the part and release its lock."""
        self._file.close()


def _check_free(path: Path, *, overwrite: bool) -> None:
    if path.exists() and not overwrite:
        raise FileExistsError(f"{path} exists: pass overwrite=True to replace it")


def _is_at(path: Path, file: BinaryIO) -> bool:
    """Return whether a file that is open still has this path."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _part(path: Path) -> Path:
    return path.with_name(f"{path.name}.part")


def _description(path: Path) -> Path:
    return path.with_name(f"{path.name}.part.json")


def _read(description: Path, url: str) -> RemoteFile:
    """Return what a part belongs to, or nothing if that is not certain."""
    try:
        known = json.loads(description.read_text(encoding="utf-8"))
        if known.pop("url") == url:
            return RemoteFile(**known)
    except (OSError, ValueError, TypeError, AttributeError, KeyError):
        pass
    return RemoteFile()


def _link(part: Path, path: Path) -> None:
    """Give a file another name, and fail if the name exists."""
    try:
        path.hardlink_to(part)
    except FileExistsError as error:
        raise FileExistsError(f"{path} exists: pass overwrite=True to replace it") from error
    except OSError:  # a file system without hard links
        _check_free(path, overwrite=False)
        part.replace(path)
    else:
        part.unlink()


def _sync(folder: Path) -> None:
    """Write a folder to the disk, where the system can."""
    if sys.platform == "win32":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
