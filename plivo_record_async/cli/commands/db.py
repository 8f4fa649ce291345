"""The command ``db``: it creates and checks the tables of a PostgreSQL store, and copies a store."""

from __future__ import annotations

from contextlib import AsyncExitStack
from textwrap import dedent
from typing import Any

import click

from plivo_record_async.cli.input.options import json_option
from plivo_record_async.cli.input.store import open_existing_store, open_postgres_store, store_name, usable_store
from plivo_record_async.cli.output.exit_codes import ExitCode
from plivo_record_async.cli.output.printer import Printer
from plivo_record_async.cli.signals import run_reading
from plivo_record_async.stores.copying import copy_store

__all__ = ["db"]

_address = click.option("--store", metavar="ADDRESS", required=True, help="The postgresql:// address of the database.")
_schema = click.option(
    "--schema",
    metavar="NAME",
    default="plivo_record",
    show_default=True,
    help="The schema that contains the tables.",
)


@click.group(no_args_is_help=False, short_help="Create, check and fill the tables in PostgreSQL.")
def db() -> None:
    """Create and check the tables of a store in PostgreSQL, and copy a store to it.

    A PostgresStore creates and migrates its tables itself. These commands are for databases in which the program is not
    permitted to do this.

    ADDRESS is a postgresql:// address. Do not put the password into it, because other users of the machine can see the
    arguments of a command: use the environment variable PGPASSWORD or the file ~/.pgpass.

    \b
    Examples:
      plivo-record db migrate --store postgresql://me@db.example/plivo
      plivo-record db copy --from recordings.db --to postgresql://me@db.example/plivo
    """  # noqa: D301 - click wants the control character


@db.command("check", short_help="Check that the tables have the right version and can be written.")
@_address
@_schema
@json_option
def db_check(*, store: str, schema: str, as_json: bool) -> ExitCode:
    """Check that the tables exist, have the version that this version of the package needs, and can be written.

    The command changes nothing but the time of the last check.

    \b
    Examples:
      plivo-record db check --store postgresql://me@db.example/plivo
    """  # noqa: D301 - click wants the control character
    return _prepare(store, schema, "ready", Printer(as_json), migrate=False)


@db.command("migrate", short_help="Create the tables, or migrate them to the latest version.")
@_address
@_schema
@json_option
def db_migrate(*, store: str, schema: str, as_json: bool) -> ExitCode:
    """Create the schema and its tables if they do not exist, and migrate them to the latest version.

    Migrations only add something, so programs may go on using the tables. If several processes migrate the same schema,
    one of them does it and the others wait.

    \b
    Examples:
      plivo-record db migrate --store postgresql://me@db.example/plivo
      plivo-record db migrate --store postgresql://me@db.example/plivo --schema recordings
    """  # noqa: D301 - click wants the control character
    return _prepare(store, schema, "migrated", Printer(as_json), migrate=True)


@db.command("print", short_help="Print the SQL statements that `db migrate` would run.")
@click.option(
    "--store",
    metavar="ADDRESS",
    help="Print only what this database lacks. Without this option, print all statements and connect to nothing.",
)
@_schema
def db_print(*, store: str | None, schema: str) -> ExitCode:
    """Print the SQL statements that create the tables, so that an administrator can run them.

    \b
    Examples:
      plivo-record db print > plivo_record.sql
      plivo-record db print --store postgresql://me@db.example/plivo
    """  # noqa: D301 - click wants the control character
    open_postgres_store(store or "postgresql://", schema=schema)  # checks the address and the name
    from plivo_record_async.stores.postgres.schema import missing_statements, quoted, script  # noqa: PLC0415 - an extra

    statements = script(schema) if store is None else missing_statements(store, schema)
    printer = Printer(as_json=False)
    for statement in ("BEGIN", *statements, "COMMIT") if statements else ():
        printer.line(f"{dedent(statement).strip()};")
    name = quoted(schema)
    printer.line("-- The user of the program needs these permissions:")
    printer.line(f"-- GRANT USAGE ON SCHEMA {name} TO ...;")
    printer.line(f"-- GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {name} TO ...;")
    return ExitCode.DONE


@db.command("copy", short_help="Copy everything that a store keeps into an empty database.")
@click.option("--from", "source", metavar="STORE", required=True, help="The store that is read: a file or an address.")
@click.option("--to", "target", metavar="ADDRESS", required=True, help="The postgresql:// address that is written.")
@_schema
@click.option("--resume", is_flag=True, help="Continue a copy that was interrupted.")
@json_option
def db_copy(*, source: str, target: str, schema: str, resume: bool, as_json: bool) -> ExitCode:
    """Copy all recordings and orphans from one store into another, and compare the numbers of both.

    Stop all programs that use one of the two stores first. The store in the database must be empty, unless --resume is
    given. It is created if it does not exist. The store that is read is not changed.

    \b
    Examples:
      plivo-record db copy --from recordings.db --to postgresql://me@db.example/plivo
    """  # noqa: D301 - click wants the control character
    printer = Printer(as_json)

    async def run() -> ExitCode:
        async with AsyncExitStack() as stack:
            old, new = open_existing_store(source), open_postgres_store(target, schema=schema, migrate=True)
            stack.push_async_callback(old.aclose)
            stack.push_async_callback(new.aclose)
            with usable_store():
                await old.counts()
                await new.check()
            copied = await copy_store(old, new, resume=resume)
        if as_json:
            printer.json_object({"type": "StoreCopied", "records": copied.records, "orphans": copied.orphans})
        else:
            printer.line(f"copied {copied.records} recordings and {copied.orphans} orphans to {store_name(target)}")
        return ExitCode.DONE

    return run_reading(run(), printer, "; repeat the command with --resume to continue")


def _prepare(text: str, schema: str, done: str, printer: Printer, **options: Any) -> ExitCode:
    """Check a store, after its tables were migrated if the options say so."""

    async def run() -> ExitCode:
        async with open_postgres_store(text, schema=schema, **options) as store:
            with usable_store():
                await store.check()
        if printer.as_json:
            printer.json_object({"type": "StoreReady", "store": store_name(text), "schema": schema})
        else:
            printer.line(f"{done}: schema {schema} of {store_name(text)}")
        return ExitCode.DONE

    return run_reading(run(), printer)
