"""The command ``download``: it downloads recorded files."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AsyncExitStack, aclosing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from plivo_record_async.cli.extras import needed_extra
from plivo_record_async.cli.input.arguments import RECORDING_ID
from plivo_record_async.cli.input.options import Seconds, json_option, store_option
from plivo_record_async.cli.input.store import open_existing_store, usable_store
from plivo_record_async.cli.output.exit_codes import ExitCode, exit_code
from plivo_record_async.cli.output.outcomes import printable
from plivo_record_async.cli.output.printer import Printer
from plivo_record_async.cli.signals import reading_client, run_reading
from plivo_record_async.client import RecordClient
from plivo_record_async.errors import PlivoRecordError
from plivo_record_async.protocol.media.hosts import DEFAULT_MEDIA_HOSTS
from plivo_record_async.stores.interface import Store
from plivo_record_async.transport.batch import run_many
from plivo_record_async.transport.downloads.download import RecordedFile

if TYPE_CHECKING:
    from plivo_record_async.cli.output.download_progress import DownloadProgress

__all__ = ["download"]


@click.command(short_help="Download recorded files.")
@click.argument("items", metavar="ID|URL...", nargs=-1, required=True, type=RECORDING_ID)
@click.option(
    "-o",
    "--output",
    "directory",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    default=Path(),
    help="The directory to write to. It is created if it does not exist.  [default: the current directory]",
)
@click.option("--overwrite", is_flag=True, help="Replace files that exist.")
@click.option(
    "--concurrency",
    type=click.IntRange(min=1),
    metavar="NUMBER",
    default=8,
    show_default=True,
    help="The number of concurrent downloads.",
)
@click.option(
    "--wait",
    type=Seconds(min=0),
    metavar="SECONDS",
    default=60.0,
    show_default=True,
    help="The seconds to wait for a file that does not exist yet.",
)
@click.option(
    "--media-host",
    "media_hosts",
    multiple=True,
    metavar="HOST",
    help="Download from this host too. This option may be given several times.  [default: Plivo's hosts only]",
)
@store_option("Look for each ID as a start_id in this store first. It must exist.")
@json_option
def download(
    *,
    items: tuple[str, ...],
    concurrency: int,
    media_hosts: tuple[str, ...],
    store: str | None,
    as_json: bool,
    **options: Any,
) -> ExitCode:
    """Download the files of recordings.

    Each argument is the ID that Plivo gave to a recording, or the URL of a file or, with --store, the start_id of a
    followed recording. The name of a file is the last segment of its URL. Write -- before an ID that begins with a
    dash.

    A file is complete as soon as it has its name: until then, its bytes are in a file with the suffix .part. If the
    command is interrupted, or even killed, the same command resumes the download. Files that exist are not replaced
    without --overwrite, and count as failures.

    The path of each file is printed when the file is complete. In a terminal, the command shows progress. With --json,
    the outcome for each argument is one object on standard output. The field ok says whether the file was downloaded.

    \b
    Examples:
      plivo-record download 5d7e1c1e-5f2e-4a3a-9a3c-0a4b6f2f7b1d
      plivo-record download --store recordings.db 0198f2c5d1a0b7e6c3f4a5968778695a
      plivo-record download -o files https://media.plivo.com/v1/…/5d7e1c1e.mp3
      plivo-record recordings list --json | jq -r .recording_id | xargs plivo-record download
    """  # noqa: D301 - click wants the control character
    printer = Printer(as_json)
    client = RecordClient(media_hosts=[*DEFAULT_MEDIA_HOSTS, *media_hosts])
    downloads = _Downloads(client, printer, None if store is None else open_existing_store(store), **options)
    work = downloads.run(items, concurrency)
    return run_reading(work, printer, "; the same command resumes the downloads that are not complete")


class _Downloads:
    """Downloads files, and prints the outcome of each.

    Args:
        client: The client, which is entered here.
        printer: Prints the outcomes.
        store: The store of followed recordings, which is closed here. If None, there is none.
        directory: The directory of the files.
        overwrite: Whether existing files may be replaced.
        wait: The number of seconds to wait for a file that does not exist yet.
    """

    def __init__(
        self,
        client: RecordClient,
        printer: Printer,
        store: Store | None,
        *,
        directory: Path,
        overwrite: bool,
        wait: float,
    ) -> None:
        self._client = client
        self._printer = printer
        self._store = store
        self._directory = directory
        self._overwrite = overwrite
        self._wait = wait

    async def run(self, items: Sequence[str], concurrency: int) -> ExitCode:
        """Download the files of these items, and return the exit code.

        Args:
            items: IDs and URLs.
            concurrency: The number of concurrent downloads.
        """
        with needed_extra("cli"):
            from plivo_record_async.cli.output.download_progress import download_progress  # noqa: PLC0415 - rich
        code = ExitCode.DONE
        self._directory.mkdir(parents=True, exist_ok=True)
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(reading_client(self._client))
            if self._store is not None:
                stack.push_async_callback(self._store.aclose)
            with download_progress(shown=not self._printer.as_json) as progress:
                download_one = partial(self._download, progress)
                async with aclosing(run_many(dict.fromkeys(items), download_one, concurrency=concurrency)) as outcomes:
                    async for outcome in outcomes:
                        code = max(code, exit_code(outcome.error, reading=True))
                        if outcome.error is None:
                            self._print(outcome.request, outcome.result)
                        else:
                            self._printer.failure(outcome.error, item=outcome.request)
        return code

    async def _download(self, progress: DownloadProgress, item: str) -> Path:
        recorded = await self._find(item)
        with progress.of_file(item) as report:
            try:
                return await self._client.download_recording(
                    recorded, self._directory, progress=report, overwrite=self._overwrite, wait=self._wait
                )
            except FileExistsError as error:
                raise PlivoRecordError(
                    f"the file of {item!r} exists already. To replace it, use --overwrite"
                ) from error

    async def _find(self, item: str) -> RecordedFile:
        """Return the URL of a file, or the recording that has it."""
        if "://" in item:
            return item
        with usable_store():
            record = None if self._store is None else await self._store.get(item)
        if record is not None:
            status = record.status
            if status.record_url is not None:
                return status
            raise PlivoRecordError(f"the recording of start {item!r} has no file. Its state is {status.state}")
        recording = await self._client.get_recording(item)
        if recording.recording_url is None:
            raise PlivoRecordError(f"recording {item!r} has no file yet. It may still be running")
        return recording

    def _print(self, item: str, path: Path) -> None:
        if self._printer.as_json:
            self._printer.json_object({"type": "Downloaded", "item": item, "path": path, "ok": True})
        else:
            self._printer.line(printable(str(path)))
