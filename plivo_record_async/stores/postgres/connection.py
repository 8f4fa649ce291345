"""Connecting to PostgreSQL, and converting its errors. Only this module imports ``psycopg``.

Nothing here names a password: errors and descriptions contain the user, the host, the port and the database.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from typing import Any, Final, TypeVar
from urllib.parse import quote

from plivo_record_async.errors import ConfigurationError, StoreError

try:
    import psycopg
    from psycopg.conninfo import conninfo_to_dict
except ImportError as _error:  # also if psycopg finds no libpq
    raise ConfigurationError(
        f"PostgreSQL needs the extra 'postgres' ({_error}); install it with: pip install 'plivo-record-async[postgres]'"
    ) from _error

__all__ = ["Address", "Connection", "PostgresError", "explain", "is_read_only", "to_store_error"]

PostgresError = psycopg.Error
"""Any error of PostgreSQL or of the connection to it."""

T = TypeVar("T")

_DEFAULTS: Final[dict[str, str]] = {
    "application_name": "plivo-record-async",
    "connect_timeout": "5",
    # A server that disappears without a word is noticed: https://www.postgresql.org/docs/current/libpq-connect.html
    "keepalives_idle": "5",
    "keepalives_interval": "2",
    "keepalives_count": "3",
    "tcp_user_timeout": "10000",
}

_READ_ONLY: Final = "25006"

_HINTS: Final = {
    _READ_ONLY: "it is read-only, as a standby is; give the address of the primary server",
    "3F000": "the schema does not exist any more; close the store and enter it again to create it",
    "42P01": "a table does not exist any more; close the store and enter it again to create it",
    "42501": "this user lacks a permission; ask the administrator for it, or run `plivo-record db print` and let the "
    "administrator run the statements",
    "53100": "the server's disk is full; free some space",
    "55P03": "another session keeps rows locked; find it in pg_stat_activity",
    "57014": "a statement took longer than statement_timeout permits",
}
"""What PostgreSQL's error codes mean, and what to do: https://www.postgresql.org/docs/current/errcodes-appendix.html"""


class Connection(psycopg.Connection[tuple[Any, ...]]):
    """A connection on which nothing is waited for beyond a deadline.

    Attributes:
        deadline: The time until which an answer of the server is waited for, as `time.monotonic` counts it.
    """

    deadline: float = float("inf")

    @property
    def is_in_transaction(self) -> bool:
        """Whether a transaction was begun and not ended."""
        return self.info.transaction_status != psycopg.pq.TransactionStatus.IDLE

    def run(self, text: str, parameters: Sequence[Any] | None = None) -> psycopg.Cursor[tuple[Any, ...]]:
        """Run a statement.

        Args:
            text: The statement. If there are parameters, ``%s`` stands for each, and ``%%`` for a percent sign.
            parameters: The parameters. If None, a percent sign has no meaning.

        Raises:
            PostgresError: The server rejected the statement, or the connection was lost.
        """
        return self.execute(text.encode(), parameters)

    def run_script(self, *statements: tuple[str, Sequence[Any]]) -> tuple[list[list[tuple[Any, ...]]], str]:
        """Run several statements in one round trip.

        psycopg writes the parameters into the text. A pipeline is not suitable if the transaction stays open: psycopg
        sends another message after it, and so PostgreSQL ends the timer of ``idle_in_transaction_session_timeout``.

        Args:
            statements: The text and the parameters of each statement. ``%s`` stands for each parameter, and ``%%`` for
                a percent sign.

        Returns:
            The rows of each statement, and PostgreSQL's status of the last one.

        Raises:
            PostgresError: The server rejected a statement, or the connection was lost.
        """
        parameters = [parameter for _, each in statements for parameter in each]
        with psycopg.ClientCursor(self) as cursor:
            cursor.execute(";".join(text for text, _ in statements).encode(), parameters)
            rows = [cursor.fetchall() if cursor.description else []]
            while cursor.nextset():
                rows.append(cursor.fetchall() if cursor.description else [])
            return rows, cursor.statusmessage or ""

    def wait(self, gen: Generator[Any, Any, T], *arguments: Any, **options: Any) -> T:
        """Wait for the answer of the server. If it does not come before the deadline, close the connection.

        Args:
            gen: The generator that reads the answer.
            arguments: What psycopg passes besides.
            options: What psycopg passes besides.

        Raises:
            PostgresError: The connection was lost, or the deadline has passed.
        """
        return super().wait(self._until_deadline(gen), *arguments, **options)

    def _until_deadline(self, gen: Generator[Any, Any, T]) -> Generator[Any, Any, T]:
        """Pass on what the generator yields and what it is sent. psycopg sends something ten times a second."""
        try:
            wanted = next(gen)
            while True:
                ready = yield wanted
                if time.monotonic() > self.deadline:
                    self.close()
                    raise psycopg.OperationalError("the server did not answer in time")
                wanted = gen.send(ready)
        except StopIteration as end:
            value: T = end.value
            return value


class Address:
    """The address of a database, with the password and all other options.

    Args:
        conninfo: A ``postgresql://`` URL, or a connection string of libpq.

    Raises:
        ValueError: The text is not such an address.
        TypeError: It is not a text.
    """

    def __init__(self, conninfo: str) -> None:
        if not isinstance(conninfo, str):
            raise TypeError(f"conninfo must be a str, not {type(conninfo).__name__}")
        try:
            self._parameters = {name: str(value) for name, value in conninfo_to_dict(conninfo).items()}
        except psycopg.ProgrammingError:
            raise ValueError(  # without the cause, which may contain the password
                "conninfo must be a postgresql:// URL or a connection string of libpq; see "
                "https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING"
            ) from None

    def __str__(self) -> str:
        get = self._parameters.get
        user, host, port = (quote(get(name, ""), safe=",:[]") for name in ("user", "host", "port"))
        before = f"{user}@" if user else ""
        after = f":{port}" if port else ""
        return f"postgresql://{before}{host}{after}/{quote(get('dbname', ''))}"

    def connect(self) -> Connection:
        """Connect to the database.

        Raises:
            PostgresError: The server cannot be reached, or rejects the connection.
        """
        parameters: dict[str, Any] = _DEFAULTS | self._parameters
        if "," in parameters.get("host", ""):  # after a failover, another of the hosts is the primary server
            parameters.setdefault("target_session_attrs", "read-write")
        # Prepared statements do not work with every version of PgBouncer.
        return Connection.connect(**parameters, client_encoding="utf8", autocommit=True, prepare_threshold=None)


def is_read_only(error: BaseException) -> bool:
    """Return whether an error means that the server accepts no changes.

    Args:
        error: The error.
    """
    return isinstance(error, psycopg.Error) and error.sqlstate == _READ_ONLY


def explain(place: str, error: PostgresError) -> str:
    """Return a text that says what went wrong and, for many errors, what to do.

    Args:
        place: The description of the database.
        error: The error.
    """
    message = " ".join((error.diag.message_primary or str(error) or type(error).__name__).split())
    hint = _HINTS.get(error.sqlstate or "")
    return f"{place}: {f'{hint} ({message})' if hint else message}"


def to_store_error(place: str, error: Exception) -> Exception:
    """Return the `StoreError` for an error of PostgreSQL, and any other error unchanged.

    Args:
        place: The description of the database.
        error: The error.
    """
    if not isinstance(error, psycopg.Error):
        return error
    store_error = StoreError(f"{explain(place, error)}; what was acknowledged before is not affected")
    store_error.__cause__ = error
    return store_error
