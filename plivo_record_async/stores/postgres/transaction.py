"""`Transaction`, which runs several jobs in one transaction.

The statements for which all jobs wait are sent together, so they share a round trip. A statement for several records
costs little more than one for a single record, so jobs of the same kind share a statement.
https://www.psycopg.org/psycopg3/docs/advanced/pipeline.html
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from plivo_record_async.errors import StoreError
from plivo_record_async.stores.postgres.connection import Connection
from plivo_record_async.stores.postgres.queries import Element, Statement, Work
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
    statement: Statement | Element


_Group = tuple[int, Statement] | dict[str, tuple[int, Element]]
"""A statement, or the elements of one statement by their keys, each with its position."""


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
            results = self._results(opening, [each.statement for each in pending])
            opening = []
            pending = [
                after
                for each, result in zip(pending, results, strict=True)
                if (after := _advance(each.position, each.work, result, values))
            ]
        if self._writes:
            self._commit()
        return values

    def _results(self, opening: Sequence[str], statements: Sequence[Statement | Element]) -> list[Any]:
        """Send statements in one round trip, and return the result of each."""
        with self._connection.pipeline():
            for text in opening:
                self._connection.run(text)
            sent = [(group, self._run(group)) for group in _groups(statements)]
        results: dict[int, Any] = {}
        for group, cursor in sent:
            if isinstance(group, dict):
                rows = {row[0]: row for row in cursor}
                results |= {position: rows.get(key) for key, (position, _) in group.items()}
            else:
                results[group[0]] = cursor
        return [results[position] for position in range(len(statements))]

    def _run(self, group: _Group) -> psycopg.Cursor[tuple[Any, ...]]:
        if not isinstance(group, dict):
            return self._connection.run(group[1].text, group[1].parameters)
        elements = [element for _, element in group.values()]
        return self._connection.run(elements[0].text, (f"[{','.join(element.json for element in elements)}]",))

    def _commit(self) -> None:
        self.is_committing = True
        done = self._connection.run(COMMIT).statusmessage
        if done != COMMIT:  # PostgreSQL answers a commit of a failed transaction with a rollback, without an error
            raise StoreError(f"the transaction was not committed; the server answered {done!r}")


def _groups(statements: Sequence[Statement | Element]) -> list[_Group]:
    """Combine elements of the same statement, in the order of the statements.

    An element with the key of an earlier one comes into a later group.
    """
    groups: list[_Group] = []
    open_groups: dict[str, dict[str, tuple[int, Element]]] = {}
    for position, statement in enumerate(statements):
        if isinstance(statement, Statement):
            groups.append((position, statement))
            continue
        group = open_groups.get(statement.text)
        if group is None or statement.key in group:
            group = open_groups[statement.text] = {}
            groups.append(group)
        group[statement.key] = (position, statement)
    return groups


def _advance(position: int, work: Work[Any], result: Any, values: list[Any]) -> _Pending | None:
    """Continue a job up to its next statement. If it ends, store its value."""
    try:
        statement = work.send(result)
    except StopIteration as end:
        values[position] = end.value
        return None
    return _Pending(position, work, statement)
