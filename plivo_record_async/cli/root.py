"""``plivo-record``: the group of all commands. It turns each exception into one line and an exit code."""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from typing import Any, cast

import click

from plivo_record_async._version import __version__
from plivo_record_async.cli.commands.batch import batch
from plivo_record_async.cli.commands.calls import start, stop
from plivo_record_async.cli.commands.db import db
from plivo_record_async.cli.commands.download import download
from plivo_record_async.cli.commands.fleet import fleet
from plivo_record_async.cli.commands.listen import listen
from plivo_record_async.cli.commands.local.completion import completion
from plivo_record_async.cli.commands.local.demo import demo
from plivo_record_async.cli.commands.local.doctor import doctor
from plivo_record_async.cli.commands.local.emulate import emulate
from plivo_record_async.cli.commands.reconcile import reconcile
from plivo_record_async.cli.commands.resources import conferences, recordings
from plivo_record_async.cli.commands.status import status
from plivo_record_async.cli.input.options import verbose_option
from plivo_record_async.cli.output.exit_codes import ExitCode, exit_code
from plivo_record_async.cli.output.log import without_script_log
from plivo_record_async.cli.output.printer import Printer
from plivo_record_async.cli.signals import Terminated
from plivo_record_async.errors import PlivoRecordError

__all__ = ["Root", "plivo_record"]


class Root(click.Group):
    """A group of commands that return exit codes. It prints an error as one line and exits with the error's code."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,  # noqa: FBT001, FBT002 - click's own signature
        **extra: Any,
    ) -> Any:
        """Run a command and exit the process.

        Args:
            args: The arguments. If None, those of the process.
            prog_name: The name of the program in the help. If None, that of the process.
            complete_var: The environment variable that requests completion. If None, click's default.
            standalone_mode: Whether to handle exceptions and exit. If False, exceptions are raised.
            **extra: Further arguments of click's context.

        Returns:
            What the command returned, if ``standalone_mode`` is False.
        """
        if not standalone_mode:
            return super().main(args, prog_name, complete_var, standalone_mode=False, **extra)
        _never_fail_to_encode()
        words = list(sys.argv[1:] if args is None else args)
        printer = Printer("--json" in words[: words.index("--") if "--" in words else None])
        failure: Exception | None = None
        try:
            with without_script_log():
                code = super().main(words, prog_name, complete_var, standalone_mode=False, **extra)
        except click.Abort as abort:
            code = ExitCode.TERMINATED if isinstance(abort.__cause__, Terminated) else ExitCode.INTERRUPTED
            failure = InterruptedError(f"{code.name.lower()}; what was already sent may have been executed")
            printer.discard_output()  # a write that was interrupted may have blocked, and would block again at the end
        except click.ClickException as error:
            failure, code = click.UsageError(_with_hint(error)), error.exit_code
        except PlivoRecordError as error:
            failure, code = error, exit_code(error)
        except (OSError, BaseExceptionGroup) as error:
            os_error = _os_error_in(error)
            if os_error is None:
                raise
            printer.stop_printing(os_error)
            code = ExitCode.FAILED
        if failure is not None:
            printer.error(failure)
        sys.exit(code)


def _with_hint(error: click.ClickException) -> str:
    """Return the message of an error, and the command that shows the help."""
    command = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else "plivo-record"
    message = " ".join(error.format_message().split("\n\t"))  # click lists the values of a choice on lines
    return f"{message}{'' if message.endswith(('.', '?')) else '.'} Try: {command} --help"


def _os_error_in(error: BaseException) -> OSError | None:
    """Return the OSError in an exception or an exception group, or None if it contains any other exception."""
    if isinstance(error, BaseExceptionGroup):
        group = cast("BaseExceptionGroup[BaseException]", error)
        os_errors = [_os_error_in(each) for each in group.exceptions]
        return os_errors[0] if all(os_errors) else None
    return error if isinstance(error, OSError) and error.errno is not None else None


def _never_fail_to_encode() -> None:
    """Escape the characters that the encoding of the output does not have. Printing them would raise an error."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


@click.group(cls=Root, no_args_is_help=False, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="plivo-record")
def plivo_record() -> None:
    """Record Plivo conferences, and know what became of every recording.

    The environment variables PLIVO_AUTH_ID and PLIVO_AUTH_TOKEN select the account and authenticate it. PLIVO_BASE_URL
    is the address of the API, by default https://api.plivo.com. To try the commands without an account:
    plivo-record demo

    \b
    Examples:
      plivo-record start standup
      plivo-record batch start rooms.txt --json
      plivo-record listen --public-url https://me.example/plivo
      plivo-record status
      plivo-record recordings list
      plivo-record doctor
      plivo-record emulate

    \b
    Exit codes:
      0    done
      1    failed: for example, Plivo rejected a call, or a call was not sent
      2    wrong usage or configuration
      3    outcome unknown: a call may have been executed; check before you repeat a start
      130  interrupted (SIGINT)
      143  terminated (SIGTERM)
    """  # noqa: D301 - click wants the control character


def _add(group: click.Group, *commands: click.Command) -> None:
    """Add commands to a group, and the option ``--verbose`` to all of them."""
    for command in commands:
        group.add_command(command)
        verbose_option(command)
        if isinstance(command, click.Group):
            _add(command, *command.commands.values())


verbose_option(plivo_record)
_add(plivo_record, start, stop, batch, listen, status, reconcile, recordings, conferences, download)
_add(plivo_record, fleet, doctor, db, emulate, demo, completion)
