"""Addresses without their passwords, deadlines, and the errors of PostgreSQL."""

from __future__ import annotations

import subprocess
import sys
import time

import psycopg
import pytest

from plivo_record_async.errors import StoreError
from plivo_record_async.stores.postgres.connection import (
    Address,
    Connection,
    PostgresError,
    explain,
    is_read_only,
    to_store_error,
)
from tests.support.servers.postgres_server import PostgresServer


@pytest.mark.parametrize(
    ("conninfo", "text"),
    [
        ("postgresql://me:s3cret@db.example:5433/plivo", "postgresql://me@db.example:5433/plivo"),
        ("postgres://db.example/plivo?password=s3cret&sslmode=require", "postgresql://db.example/plivo"),
        ("host=a,b port=1,2 user='me' password=s3cret dbname='x y'", "postgresql://me@a,b:1,2/x%20y"),
        ("postgresql://me:s3cret@/plivo?host=/tmp/socket", "postgresql://me@%2Ftmp%2Fsocket/plivo"),
        ("", "postgresql:///"),
    ],
)
def test_description_contains_no_password(conninfo: str, text: str) -> None:
    assert str(Address(conninfo)) == text
    assert "s3cret" not in repr(Address(conninfo))


@pytest.mark.parametrize("conninfo", ["s3cret", "postgresql://me:s3cret@[db/plivo", "password=s3cret =", "x=s3cret"])
def test_error_of_a_wrong_address_contains_no_password(conninfo: str) -> None:
    with pytest.raises(ValueError, match="conninfo must be a postgresql:// URL") as caught:
        Address(conninfo)
    assert "s3cret" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


@pytest.mark.parametrize("conninfo", [None, 5, b"postgresql://"])
def test_address_must_be_a_text(conninfo: object) -> None:
    with pytest.raises(TypeError, match="conninfo must be a str"):
        Address(conninfo)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def test_server_that_cannot_be_reached_is_named_without_the_password(postgres: PostgresServer) -> None:
    address = Address("postgresql://me:s3cret@127.0.0.1:1/plivo")
    with pytest.raises(PostgresError) as caught:
        address.connect()
    error = to_store_error(str(address), caught.value)
    assert isinstance(error, StoreError)
    assert str(error).startswith("postgresql://me@127.0.0.1:1/plivo: ")
    assert "refused" in str(error)
    assert "s3cret" not in str(error)


def test_host_that_works_is_used_of_several(postgres: PostgresServer) -> None:
    address = Address(f"host=/nowhere,{postgres.directory} user=postgres dbname=postgres")
    with address.connect() as connection:
        assert connection.run("SELECT 1").fetchone() == (1,)
        assert connection.info.get_parameters()["target_session_attrs"] == "read-write"


def test_options_of_the_user_are_used(postgres: PostgresServer) -> None:
    with Address(f"{postgres.url()}&application_name=mine").connect() as connection:
        assert connection.run("SHOW application_name").fetchone() == ("mine",)


@pytest.fixture
def connection(postgres: PostgresServer) -> Connection:
    return Address(postgres.url()).connect()


def test_answer_is_not_waited_for_beyond_the_deadline(connection: Connection) -> None:
    begun = connection.deadline = time.monotonic()
    with pytest.raises(PostgresError, match="did not answer in time"):
        connection.run("SELECT pg_sleep(60)")
    assert time.monotonic() - begun < 5
    assert connection.closed


def test_connection_knows_whether_it_is_in_a_transaction(connection: Connection) -> None:
    with connection:
        assert not connection.is_in_transaction
        connection.run("BEGIN")
        assert connection.is_in_transaction


@pytest.mark.parametrize(
    ("statement", "hint"),
    [
        ("BEGIN READ ONLY; CREATE TABLE t ()", "give the address of the primary server"),
        ("SELECT * FROM nowhere", "a table does not exist any more"),
        ("SET statement_timeout = 1; SELECT pg_sleep(60)", "longer than statement_timeout"),
        ("SELECT 1/0", "the database: division by zero; what was acknowledged"),
    ],
)
def test_error_says_what_to_do(connection: Connection, statement: str, hint: str) -> None:
    with connection, pytest.raises(PostgresError) as caught:
        connection.run(statement)
    error = to_store_error("the database", caught.value)
    assert isinstance(error, StoreError)
    assert hint in str(error)
    assert error.__cause__ is caught.value
    assert is_read_only(caught.value) is ("primary" in hint)


def test_other_errors_are_not_converted() -> None:
    error = ValueError("x")
    assert to_store_error("the database", error) is error
    assert not is_read_only(error)


def test_missing_library_names_the_extra() -> None:
    program = """if True:
        import sys
        sys.modules["psycopg"] = None
        from plivo_record_async import stores
        from plivo_record_async.errors import ConfigurationError
        try:
            stores.PostgresStore
        except ConfigurationError as error:
            assert "pip install 'plivo-record-async[postgres]'" in str(error), error
        else:
            raise AssertionError
    """
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def test_error_without_a_text_names_its_class() -> None:
    assert "OperationalError" in str(to_store_error("the database", psycopg.OperationalError()))


def test_script_runs_in_one_round_trip_and_returns_the_rows_of_each_statement(connection: Connection) -> None:
    with connection:
        rows, status = connection.run_script(
            ("BEGIN", ()), ("SELECT %s::int, %s", (1, "50 %; '")), ("SELECT 2 %% 2 WHERE false", ()), ("COMMIT", ())
        )
    assert rows == [[], [(1, "50 %; '")], [], []]
    assert status == "COMMIT"


def test_script_stops_at_the_first_error(connection: Connection) -> None:
    with connection:
        with pytest.raises(PostgresError, match="division by zero"):
            connection.run_script(("BEGIN", ()), ("SELECT 1 / 0", ()), ("COMMIT", ()))
        assert connection.is_in_transaction


def test_explanation_of_an_error_says_what_to_do(connection: Connection) -> None:
    with connection, pytest.raises(PostgresError) as caught:
        connection.run("SELECT * FROM missing")
    assert explain("the database", caught.value) == (
        "the database: a table does not exist any more; close the store and enter it again to create it "
        '(relation "missing" does not exist)'
    )
