"""`PostgresRateLimit`, with which several processes share one quota."""

from __future__ import annotations

from functools import partial

from plivo_record_async.protocol.arguments import utf8_text
from plivo_record_async.protocol.models import RateLimit
from plivo_record_async.stores.postgres.connection import Address
from plivo_record_async.stores.postgres.quota.table import PostgresQuotaTable
from plivo_record_async.stores.postgres.schema import schema_name
from plivo_record_async.transport.leased_quota import LeasedQuota
from plivo_record_async.transport.quota import Quota, SharedRateLimit

__all__ = ["PostgresRateLimit"]


class PostgresRateLimit(SharedRateLimit):
    """One quota for any number of processes and machines, through a PostgreSQL database.

    .. code-block:: python

        from plivo_record_async import RecordClient
        from plivo_record_async.stores import PostgresRateLimit

        rate_limit = PostgresRateLimit("postgresql://me@db.example/plivo")
        client = RecordClient(rate_limit=rate_limit)

    No window of ``per`` seconds contains more than ``limit`` requests of all processes together. Each process leases
    permits, renews its lease once or twice a second, and needs no round trip to the database for a request. Processes
    that have more to send receive more permits.

    While the database cannot be reached, a process goes on with its permits for up to four seconds after its latest
    renewal. Then calls wait, and raise ``NotSentError`` at their deadline if the database is not back. The permits of a
    process that was killed are free after ``per + 7`` seconds, and those of a client that was closed after at most
    ``per + 3`` seconds.

    One object may be used by several clients, and in one event loop after another. It is opened and closed with its
    clients, and uses one connection for each account, also through PgBouncer in transaction mode. It creates its tables
    if they do not exist. It needs PostgreSQL 12 or newer, and the extra ``postgres``.

    Args:
        conninfo: The address of the database: a ``postgresql://`` URL, or a connection string of libpq. The password
            appears in no error, no log entry and no ``repr``.
        limit: The number of requests of all processes together. If processes have different limits, the smallest
            counts.
        per: The length of the window in seconds. It must be the same in all processes.
        account: The name of the quota. Processes with the same name share one quota. If None, it is the auth ID of the
            client.
        schema: The name of the schema that contains the tables.

    Raises:
        ConfigurationError: The extra ``postgres`` is not installed. Importing the class raises this error.
        ValueError: ``conninfo`` is not an address, PostgreSQL cannot use ``schema`` as a name, ``account`` is empty,
            ``limit`` is less than 1, or ``per`` is not a finite number above 0.
        TypeError: An argument has the wrong type.
    """

    def __init__(
        self,
        conninfo: str,
        limit: int = 300,
        *,
        per: float = 5.0,
        account: str | None = None,
        schema: str = "plivo_record",
    ) -> None:
        self._rate = RateLimit(limit, per=per)
        self._address = Address(conninfo)
        self._account = None if account is None else utf8_text("account", account)
        self._schema = schema_name(schema)
        self._quotas: dict[str, LeasedQuota] = {}

    def __repr__(self) -> str:
        account = "" if self._account is None else f", account={self._account!r}"
        return (
            f"PostgresRateLimit({str(self._address)!r}, {self.limit}, per={self.per}{account}, schema={self._schema!r})"
        )

    @property
    def limit(self) -> int:
        """The number of requests of all processes together."""
        return self._rate.limit

    @property
    def per(self) -> float:
        """The length of the window in seconds."""
        return self._rate.per

    def quota_of(self, auth_id: str) -> Quota:
        """Return the quota of an account. All clients of the same account receive the same object.

        Args:
            auth_id: The auth ID of the client.
        """
        account = auth_id if self._account is None else self._account
        if account not in self._quotas:
            self._quotas[account] = LeasedQuota(
                self._rate,
                partial(PostgresQuotaTable, self._address, self._schema, account),
                name=f"{self!r}, account {account}",
            )
        return self._quotas[account]
