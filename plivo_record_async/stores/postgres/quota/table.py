"""The rows of a shared quota, and the transaction of one renewal.

The transaction locks the row of the account first, so the transactions of one account happen one after another. The
decision is made between the reading and the writing, by `plivo_record_async.protocol.shared_quota.account.renew`.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Final

from plivo_record_async.errors import StoreError
from plivo_record_async.protocol.shared_quota.account import Account, Holding, Renewal, Share, renew
from plivo_record_async.stores.postgres import schema as tables
from plivo_record_async.stores.postgres.connection import Address, Connection, PostgresError, explain
from plivo_record_async.stores.postgres.statements import BEGIN, COMMIT, SET_FOR_TRANSACTION

__all__ = ["PostgresQuotaTable"]

_TIME_LIMIT: Final = 3.0
"""Seconds. A renewal that takes longer is given up, and its outcome is not known."""

_TIME_LIMIT_TO_OPEN: Final = 10.0
"""Seconds for checking the tables, and for creating them if they do not exist."""

_END_IF_IDLE: Final = "SELECT set_config('idle_in_transaction_session_timeout', '1s', true)"
"""If this process is suspended in the middle of a transaction, its lock must not stop the other processes."""

_NOW: Final = "SELECT extract(epoch FROM clock_timestamp())::float8"

_LOCK: Final = "SELECT per, renewals, paused_until FROM {schema}.quota_account WHERE account = %s FOR UPDATE"
_READ: Final = """
    SELECT holder, permits, wish, "limit", joined, renewed, age, lease FROM {schema}.quota_holder WHERE account = %s
"""
_ADD_ACCOUNT: Final = """
    INSERT INTO {schema}.quota_account (account, per, renewals, paused_until) SELECT %s, %s, 0, 0
    WHERE NOT EXISTS (SELECT FROM {schema}.quota_account WHERE account = %s)
    ON CONFLICT DO NOTHING
"""
_UPDATE_ACCOUNT: Final = """
    UPDATE {schema}.quota_account SET per = %s, renewals = %s, paused_until = %s WHERE account = %s
"""
_DELETE: Final = "DELETE FROM {schema}.quota_holder WHERE account = %s AND holder = ANY(%s)"
_KEEP: Final = """
    INSERT INTO {schema}.quota_holder (account, holder, permits, wish, "limit", joined, renewed, age, lease, expires)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, clock_timestamp() + make_interval(secs => %s))
    ON CONFLICT (account, holder) DO UPDATE SET
        permits = excluded.permits, wish = excluded.wish, "limit" = excluded."limit", joined = excluded.joined,
        renewed = excluded.renewed, age = excluded.age, lease = excluded.lease, expires = excluded.expires
"""


class PostgresQuotaTable:
    """A connection to the rows of one account.

    Args:
        address: The address of the database.
        schema: The name of the schema.
        account: The name of the quota.
    """

    def __init__(self, address: Address, schema: str, account: str) -> None:
        self._address, self._schema, self._account = address, schema, account
        name = tables.quoted(schema).replace("%", "%%")
        self._lock, self._read, self._add_account, self._update_account, self._delete, self._keep = (
            statement.format(schema=name) for statement in (_LOCK, _READ, _ADD_ACCOUNT, _UPDATE_ACCOUNT, _DELETE, _KEEP)
        )
        self._connection: Connection | None = None

    def renew(self, renewal: Renewal) -> Share:
        """Renew a lease in one transaction.

        Args:
            renewal: What the holder asks for.

        Returns:
            What the holder receives. The transaction was certainly committed.

        Raises:
            StoreError: The transaction failed, or it is not known whether it was committed.
        """
        try:
            connection = self._connected()
            connection.deadline = time.monotonic() + _TIME_LIMIT
            account, now = self._begin(connection, renewal)
            changed, share = renew(account, renewal, now=now)
            self._commit(connection, account, changed)
        except PostgresError as error:
            self.close()
            raise StoreError(explain(str(self._address), error)) from error
        except StoreError:
            self.close()
            raise
        return share

    def close(self) -> None:
        """Close the connection. An open transaction is rolled back."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _connected(self) -> Connection:
        if self._connection is None:
            self._connection = self._address.connect()
            self._connection.deadline = time.monotonic() + _TIME_LIMIT_TO_OPEN
            tables.migrate(self._connection, self._schema, str(self._address))
        return self._connection

    def _begin(self, connection: Connection, renewal: Renewal) -> tuple[Account, float]:
        """Begin the transaction, lock the account, and return its state and the time of the database."""
        by_account = [self._account]
        (*_, lock, holders, [[now]]), _ = connection.run_script(
            (BEGIN, ()),
            (SET_FOR_TRANSACTION, ()),
            (_END_IF_IDLE, ()),
            (self._add_account, (self._account, renewal.timing.per, self._account)),
            (self._lock, by_account),
            (self._read, by_account),
            (_NOW, ()),
        )
        [(per, renewals, paused_until)] = lock
        holdings = {name: _holding(columns) for name, *columns in holders}
        return Account(per=per, renewals=renewals, paused_until=paused_until, holdings=holdings), now

    def _commit(self, connection: Connection, before: Account, after: Account) -> None:
        """Write what has changed, and commit.

        Raises:
            StoreError: PostgreSQL answered that the transaction was rolled back.
        """
        gone = [name for name in before.holdings if name not in after.holdings]
        kept = [
            (self._keep, (self._account, name, *_columns(holding), holding.lease - holding.age))
            for name, holding in after.holdings.items()
            if holding != before.holdings.get(name)
        ]
        _, status = connection.run_script(
            (self._update_account, (after.per, after.renewals, after.paused_until, self._account)),
            (self._delete, (self._account, gone)),
            *kept,
            (COMMIT, ()),
        )
        if status != COMMIT:  # after a failed statement, PostgreSQL rolls back without an error
            raise StoreError(f"{self._address}: the server answered the commit with {status!r}")


def _holding(columns: Sequence[Any]) -> Holding:
    permits, wish, limit, joined, renewed, age, lease = columns
    return Holding(permits=permits, wish=wish, limit=limit, joined=joined, renewed=renewed, age=age, lease=lease)


def _columns(holding: Holding) -> list[Any]:
    return [
        holding.permits,
        holding.wish,
        holding.limit,
        holding.joined,
        holding.renewed,
        holding.age,
        holding.lease,
    ]
