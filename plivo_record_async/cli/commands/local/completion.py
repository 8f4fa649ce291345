"""The command ``completion``: it prints the script with which a shell completes commands."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from plivo_record_async.cli.output.exit_codes import ExitCode

__all__ = ["completion"]

_PROGRAM, _VARIABLE = "plivo-record", "_PLIVO_RECORD_COMPLETE"


@click.command(short_help="Print a script that lets your shell complete commands.")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> ExitCode:
    """Print a script that lets your shell complete the commands and options of plivo-record.

    To load it in every new shell, add the matching line of the examples to ~/.config/fish/config.fish, to ~/.bashrc, or
    to ~/.zshrc after compinit. plivo-record must be on the PATH.

    \b
    Examples:
      plivo-record completion fish | source
      eval "$(plivo-record completion bash)"
      eval "$(plivo-record completion zsh)"
    """  # noqa: D301 - click wants the control character
    complete = get_completion_class(shell)
    assert complete is not None  # noqa: S101 - click supports these shells
    click.echo(complete(click.get_current_context().find_root().command, {}, _PROGRAM, _VARIABLE).source())
    return ExitCode.DONE
