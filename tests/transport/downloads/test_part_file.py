from __future__ import annotations

import errno
import fcntl
import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import BinaryIO

import pytest

from plivo_record_async.protocol.media.resuming import RemoteFile
from plivo_record_async.transport.downloads.part_file import PartFile

URL = "https://media.plivo.com/r.mp3"
REMOTE = RemoteFile(etag='"v1"', length=10)

OTHER_PROCESS = """
import sys
from pathlib import Path
from plivo_record_async.transport.downloads.part_file import PartFile
part = PartFile.open(Path(sys.argv[1]), sys.argv[2], overwrite=False)
print(part.received, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "r.mp3"


def begun(path: Path, data: bytes = b"12345", *, url: str = URL) -> PartFile:
    part = PartFile.open(path, url, overwrite=False)
    part.restart(REMOTE)
    part.write(data)
    return part


def names(path: Path) -> list[str]:
    return sorted(each.name for each in path.parent.iterdir())


def test_finished_part_has_the_name_of_the_file_and_leaves_nothing_else(path: Path) -> None:
    part = begun(path)
    assert names(path) == ["r.mp3.part", "r.mp3.part.json"]
    part.finish()
    part.close()
    assert names(path) == ["r.mp3"]
    assert path.read_bytes() == b"12345"


def test_closed_part_is_continued(path: Path) -> None:
    begun(path).close()
    part = PartFile.open(path, URL, overwrite=False)
    assert (part.received, part.remote) == (5, REMOTE)
    part.write(b"67890")
    part.finish()
    part.close()
    assert path.read_bytes() == b"1234567890"


@pytest.mark.parametrize(
    "description",
    [
        None,
        "",
        "[]",
        "null",
        "{}",
        '{"url": "https://media.plivo.com/r.mp3", "unknown": 1}',
        '{"url": "other"}',
        '{"url": "https://media.plivo.com/r.mp3", "etag": 5, "length": 5}',
        '{"url": "https://media.plivo.com/r.mp3", "etag": ["v1"], "last_modified": {}, "length": "5"}',
        '{"url": "https://media.plivo.com/r.mp3", "etag": "\\"\\r\\nX: y\\"", "length": 5}',
        '{"url": "https://media.plivo.com/r.mp3", "last_modified": "yesterday", "length": -5}',
        '{"url": "https://media.plivo.com/r.mp3", "etag": "\\"v1',
        "[" * 100_000,
        "\x00",
    ],
)
def test_part_of_something_unknown_is_not_continued(path: Path, description: str | None) -> None:
    begun(path).close()
    file = path.with_name("r.mp3.part.json")
    if description is None:
        file.unlink()
    else:
        file.write_text(description, encoding="utf-8")
    part = PartFile.open(path, URL, overwrite=False)
    assert part.remote.validator is None
    part.close()


def test_part_of_another_url_is_not_continued(path: Path) -> None:
    begun(path, url="https://media.plivo.com/other.mp3").close()
    part = PartFile.open(path, URL, overwrite=False)
    assert part.remote == RemoteFile()
    part.close()


def test_restarted_part_begins_at_the_first_byte(path: Path) -> None:
    part = begun(path)
    part.restart(RemoteFile(etag='"v2"'))
    part.write(b"other")
    part.finish()
    part.close()
    assert path.read_bytes() == b"other"


def test_description_names_the_url_and_the_file(path: Path) -> None:
    begun(path).close()
    described = json.loads(path.with_name("r.mp3.part.json").read_text(encoding="utf-8"))
    assert described == {"url": URL, "etag": '"v1"', "last_modified": None, "length": 10, "media_type": None}


def test_discarded_part_leaves_nothing(path: Path) -> None:
    part = begun(path)
    part.discard()
    part.close()
    assert names(path) == []


def test_existing_file_is_kept_unless_it_may_be_replaced(path: Path) -> None:
    path.write_bytes(b"old")
    with pytest.raises(FileExistsError, match="overwrite=True"):
        PartFile.open(path, URL, overwrite=False)
    assert names(path) == ["r.mp3"]
    part = PartFile.open(path, URL, overwrite=True)
    part.restart(REMOTE)
    part.write(b"new")
    part.finish()
    part.close()
    assert path.read_bytes() == b"new"


def test_file_that_comes_into_being_meanwhile_is_kept(path: Path) -> None:
    part = begun(path)
    path.write_bytes(b"old")
    with pytest.raises(FileExistsError):
        part.finish()
    part.close()
    assert path.read_bytes() == b"old"


@pytest.mark.parametrize("error", [OSError("not supported"), None])
def test_file_system_without_hard_links_is_served(
    path: Path, monkeypatch: pytest.MonkeyPatch, error: OSError | None
) -> None:
    def hardlink_to(_self: Path, _target: Path) -> None:
        raise OSError("not supported")

    monkeypatch.setattr(Path, "hardlink_to", hardlink_to)
    part = begun(path)
    if error is None:
        path.write_bytes(b"old")
        with pytest.raises(FileExistsError):
            part.finish()
    else:
        part.finish()
    part.close()
    assert path.read_bytes() == (b"old" if error is None else b"12345")


@pytest.fixture
def windows(monkeypatch: pytest.MonkeyPatch) -> None:
    """A system that, like Windows, refuses to rename or delete an open file."""
    rename, delete = Path.replace, Path.unlink

    def refuse_open(path: Path) -> None:
        for descriptor in Path("/proc/self/fd").iterdir():
            if descriptor.exists() and path.exists() and descriptor.samefile(path):
                raise PermissionError(f"{path} is open")

    def replace(self: Path, target: Path) -> Path:
        refuse_open(self)
        return rename(self, target)

    def unlink(self: Path, missing_ok: bool = False) -> None:
        refuse_open(self)
        delete(self, missing_ok)

    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(Path, "replace", replace)
    monkeypatch.setattr(Path, "unlink", unlink)


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="the open files of the process are not listed")
@pytest.mark.usefixtures("windows")
@pytest.mark.parametrize("overwrite", [False, True])
def test_file_is_closed_before_windows_renames_or_deletes_it(path: Path, overwrite: bool) -> None:
    part = PartFile.open(path, URL, overwrite=overwrite)
    part.restart(REMOTE)
    part.write(b"whole")
    part.finish()
    part.close()
    assert (names(path), path.read_bytes()) == (["r.mp3"], b"whole")
    path.unlink()
    part = begun(path)
    part.discard()
    part.close()
    assert names(path) == []


def test_lock_is_held_until_the_file_is_renamed(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    link, refused = Path.hardlink_to, list[str]()

    def hardlink_to(self: Path, target: Path) -> None:
        with pytest.raises(BlockingIOError) as caught:
            PartFile.open(path, URL, overwrite=False)
        refused.append(str(caught.value))
        link(self, target)

    monkeypatch.setattr(Path, "hardlink_to", hardlink_to)
    part = begun(path)
    part.finish()
    part.close()
    assert len(refused) == 1


def test_second_download_in_the_same_process_is_locked_out(path: Path) -> None:
    part = begun(path)
    with pytest.raises(BlockingIOError, match="another download"):
        PartFile.open(path, URL, overwrite=False)
    part.close()
    PartFile.open(path, URL, overwrite=False).close()


def test_lock_of_a_killed_process_is_released(path: Path) -> None:
    begun(path).close()
    with subprocess.Popen(
        [sys.executable, "-c", OTHER_PROCESS, path, URL], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "5\n"
        with pytest.raises(BlockingIOError):
            PartFile.open(path, URL, overwrite=False)
        other.kill()
        other.wait(10)
        part = PartFile.open(path, URL, overwrite=False)
        assert part.received == 5
        part.close()


def test_only_one_of_many_threads_downloads(path: Path) -> None:
    """Each thread opens as soon as it may, so some open a part that is renamed before they have its lock."""
    ended: list[str] = []
    ready = threading.Barrier(8)

    def work() -> None:
        ready.wait()
        while True:
            try:
                part = PartFile.open(path, URL, overwrite=False)
            except BlockingIOError:
                continue
            except FileExistsError:
                return ended.append("existed")
            part.restart(REMOTE)
            part.write(b"whole")
            try:
                part.finish()
            except FileExistsError:
                part.discard()
                return ended.append("existed at the end")
            finally:
                part.close()
            return ended.append("finished")

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ended.count("finished") == 1
    assert len(ended) == 8
    assert path.read_bytes() == b"whole"
    assert names(path) == ["r.mp3"]


def test_closed_part_without_bytes_is_deleted(path: Path) -> None:
    PartFile.open(path, URL, overwrite=False).close()
    begun(path, b"").close()
    assert names(path) == []


def test_new_description_that_a_killed_process_has_left_is_deleted(path: Path) -> None:
    for end in (PartFile.finish, PartFile.discard):
        part = begun(path)
        path.with_name("r.mp3.part.json.new").write_text("{")
        end(part)
        part.close()
        assert [each.name for each in path.parent.iterdir()] == (["r.mp3"] if end is PartFile.finish else [])
        path.unlink(missing_ok=True)


@pytest.mark.skipif(sys.platform == "win32", reason="uses flock")
def test_file_system_without_locks_is_an_error_of_the_system(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def flock(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr("fcntl.flock", flock)
    with pytest.raises(OSError, match=os.strerror(errno.ENOLCK)) as caught:
        PartFile.open(path, URL, overwrite=False)
    assert not isinstance(caught.value, BlockingIOError)


@pytest.mark.skipif(sys.platform == "win32", reason="uses flock")
def test_part_that_was_renamed_before_it_was_locked_is_opened_again(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock, first = fcntl.flock, begun(path)

    def flock(file: BinaryIO, operation: int) -> None:
        if not path.exists():
            first.finish()
            first.close()
        lock(file, operation)

    monkeypatch.setattr("fcntl.flock", flock)
    second = PartFile.open(path, URL, overwrite=True)
    assert second.received == 0
    second.close()
    assert names(path) == ["r.mp3"]
