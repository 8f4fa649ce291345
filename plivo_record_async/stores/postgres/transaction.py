"""`Transaction`, which runs several jobs in one transaction.

The statements for which all jobs wait are sent together, so they share a round trip.
https://www.psycopg.org/psycopg3/docs/advanced/pipeline.html
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from plivo_record_async.errors import StoreError
from plivo_record_async.stores.postgres.connection import Connection
from plivo_record_async.stores.postgres.queries import Statement, Work
from plivo_record_async.stores.postgres.statements import BEGIN, COMMIT, SET_FOR_TRANSACTION

if TYPE_CHECKING:
    import psycopg

__all__ = ["Transaction"]


class _Pending(NamedTuple):
    """A job that waits for the result of a statement.

    Attributes:
        position: The position of the job among the others.
        work: The job.
        statement: The statement.
    """

    position: int
    work: Work[Any]
    statement: Statement


class Transaction:
    """One transaction, or one round trip without a transaction if nothing is written.

    Args:
        connection: The connection, which is not in a transaction.
        writes: Whether one of the jobs changes anything.

    Attributes:
        is_committing: Whether the commit was sent. If so, an error does not tell whether it took place.
    """

    def __init__(self, connection: Connection, *, writes: bool) -> None:
        self._connection = connection
        self._writes = writes
        self.is_committing: bool = False

    def run(self, works: Sequence[Work[Any]]) -> list[Any]:
        """Run jobs, and commit.

        Args:
            works: The jobs.

        Returns:
            The values that the jobs returned.

        Raises:
            PostgresError: A statement failed.
            StoreError: A job failed.
        """
        values: list[Any] = [None] * len(works)
        pending = [each for position, work in enumerate(works) if (each := _advance(position, work, None, values))]
        opening = [BEGIN, SET_FOR_TRANSACTION] if self._writes else []
        while pending:
            pending.sort(key=lambda each: each.statement.lock)
            cursors = self._answers(opening, pending)
            opening = []
            pending = [
                after
                for each, cursor in zip(pending, cursors, strict=True)
                if (after := _advance(each.position, each.work, cursor, values))
            ]
        if self._writes:
            self._commit()
        return values

    def _answers(self, opening: Sequence[str], pending: Sequence[_Pending]) -> list[psycopg.Cursor[tuple[Any, ...]]]:
        with self._connection.pipeline():
            for text in opening:
                self._connection.run(text)
            return [self._connection.run(each.statement.text, each.statement.parameters) for each in pending]

    def _commit(self) -> None:
        self.is_committing = True
        done = self._connection.run(COMMIT).statusmessage
        if done != COMMIT:  # PostgreSQL answers a commit of a failed transaction with a rollback, without an error
            raise StoreError(f"the transaction was not committed; the server answered {done!r}")


def _advance(
    position: int, work: Work[Any], cursor: psycopg.Cursor[tuple[Any, ...]] | None, values: list[Any]
) -> _Pending | None:
    """Continue a job up to its next statement. If it ends, store its value."""
    try:
        statement = next(work) if cursor is None else work.send(cursor)
    except StopIteration as end:
        values[position] = end.value
        return None
    return _Pending(position, work, statement)
