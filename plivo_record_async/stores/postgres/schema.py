"""The tables of the store, their migration, and the check of what a database contains.

Every migration only adds something, so processes with an earlier version of the package can go on while those with the
new version start. The column ``value`` contains the whole record as JSON text, in which every character outside ASCII
is escaped. The other columns are copies of attributes that the statements search for.
"""

from __future__ import annotations

from typing import Final

from plivo_record_async.errors import StoreError
from plivo_record_async.stores.postgres.connection import Address, Connection, PostgresError, to_store_error

__all__ = ["LATEST", "MIGRATIONS", "migrate", "missing_statements", "quoted", "schema_name", "script", "verify"]

MIGRATIONS: Final[tuple[tuple[str, ...], ...]] = (
    (
        """
        CREATE TABLE {schema}.recording (
            start_id text COLLATE "C" PRIMARY KEY,
            dedupe_key text COLLATE "C" UNIQUE,
            version bigint NOT NULL,
            state text COLLATE "C" NOT NULL,
            conference_name text COLLATE "C" NOT NULL,
            api_id text COLLATE "C",
            recording_id text COLLATE "C",
            created_at timestamptz NOT NULL,
            updated_at timestamptz NOT NULL,
            due_at timestamptz,
            silent boolean NOT NULL,
            claimed_by text COLLATE "C",
            claimed_until timestamptz,
            value text NOT NULL
        )
        """,
        "CREATE INDEX recording_by_state ON {schema}.recording (state, updated_at, start_id)",
        "CREATE INDEX recording_by_conference ON {schema}.recording (conference_name, state, updated_at, start_id)",
        "CREATE INDEX recording_by_api_id ON {schema}.recording (api_id) WHERE api_id IS NOT NULL",
        "CREATE INDEX recording_by_recording_id ON {schema}.recording (recording_id) WHERE recording_id IS NOT NULL",
        "CREATE INDEX recording_due ON {schema}.recording (silent, due_at, start_id) WHERE due_at IS NOT NULL",
        "CREATE INDEX recording_inactive ON {schema}.recording (updated_at) WHERE due_at IS NULL",
        """
        CREATE TABLE {schema}.orphan (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            digest text COLLATE "C" NOT NULL UNIQUE,
            start_id text COLLATE "C",
            api_id text COLLATE "C",
            recording_id text COLLATE "C",
            received_at timestamptz NOT NULL,
            value text NOT NULL
        )
        """,
        "CREATE INDEX orphan_by_age ON {schema}.orphan (received_at)",
        "CREATE INDEX orphan_by_start_id ON {schema}.orphan (start_id, id)",
        "CREATE INDEX orphan_by_api_id ON {schema}.orphan (api_id) WHERE api_id IS NOT NULL",
        "CREATE INDEX orphan_by_recording_id ON {schema}.orphan (recording_id) WHERE recording_id IS NOT NULL",
        'CREATE TABLE {schema}.forgotten (id_hash text COLLATE "C" PRIMARY KEY, forgotten_at timestamptz NOT NULL)',
        "CREATE INDEX forgotten_by_age ON {schema}.forgotten (forgotten_at)",
    ),
    (
        """
        CREATE TABLE {schema}.quota_account (
            account text COLLATE "C" PRIMARY KEY,
            per float8 NOT NULL,
            renewals bigint NOT NULL,
            paused_until float8 NOT NULL
        )
        """,
        """
        CREATE TABLE {schema}.quota_holder (
            account text COLLATE "C",
            holder text COLLATE "C",
            permits bigint NOT NULL,
            wish bigint NOT NULL,
            "limit" bigint NOT NULL,
            joined bigint NOT NULL,
            renewed bigint NOT NULL,
            age float8 NOT NULL,
            lease float8 NOT NULL,
            expires timestamptz NOT NULL,
            PRIMARY KEY (account, holder)
        )
        """,
    ),
)
"""The statements of each migration to the next version of the schema. The version is the number of migrations."""

LATEST: Final = len(MIGRATIONS)
"""The version of the schema that this version of the package creates."""

_OLDEST_COMPATIBLE: Final = 1
"""The oldest version of the schema whose processes may write to the latest one."""

_CREATE_SCHEMA: Final = "CREATE SCHEMA IF NOT EXISTS {schema}"
_CREATE_TABLE: Final = """
    CREATE TABLE IF NOT EXISTS {schema}.migration (
        version integer PRIMARY KEY,
        oldest_compatible integer NOT NULL,
        migrated_at timestamptz NOT NULL DEFAULT now(),
        checked_at timestamptz
    )
"""
_RECORD: Final = "INSERT INTO {schema}.migration (version, oldest_compatible) VALUES ({version}, {oldest_compatible})"

_LOCK: Final = "SELECT pg_advisory_xact_lock(hashtext('plivo-record-async migration'), hashtext(%s))"
_EXISTS: Final = """
    SELECT
        EXISTS (SELECT FROM pg_namespace WHERE nspname = %s),
        EXISTS (
            SELECT FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
            WHERE nspname = %s AND relname = 'migration'
        )
"""
"""This reads the catalog itself, because `to_regclass` may answer from a cache what was true before the lock."""

_VERSION: Final = "SELECT version, oldest_compatible FROM {schema}.migration ORDER BY version DESC LIMIT 1"

_MAX_BYTES: Final = 63
"""PostgreSQL cuts longer names off: https://www.postgresql.org/docs/current/limits.html"""


def schema_name(name: object) -> str:
    """Return the name of a schema if PostgreSQL can use it.

    Args:
        name: The name.

    Raises:
        TypeError: The name is not a text.
        ValueError: The name is empty, contains a NUL character or a lone surrogate, or is too long.
    """
    if not isinstance(name, str):
        raise TypeError(f"schema must be a str, not {type(name).__name__}")
    length = len(name.encode(errors="replace"))
    if not 0 < length <= _MAX_BYTES or "\0" in name or name.encode(errors="replace").decode() != name:
        raise ValueError(f"schema must have 1 to {_MAX_BYTES} bytes of UTF-8 without NUL, not {name!r}")
    return name


def quoted(schema: str) -> str:
    """Return the name of a schema as an SQL identifier.

    Args:
        schema: The name.
    """
    return '"' + schema.replace('"', '""') + '"'


def script(schema: str, version: int = 0) -> list[str]:
    """Return the statements that migrate a schema from a version to the latest one.

    Args:
        schema: The name of the schema.
        version: Its version. If 0, the schema does not exist.
    """
    names = {"schema": quoted(schema)}
    statements = [] if version else [_CREATE_SCHEMA.format(**names), _CREATE_TABLE.format(**names)]
    for number, migration in enumerate(MIGRATIONS[version:], version + 1):
        statements += [statement.format(**names) for statement in migration]
        statements.append(_RECORD.format(**names, version=number, oldest_compatible=_OLDEST_COMPATIBLE))
    return statements


def missing_statements(conninfo: str, schema: str) -> list[str]:
    """Return the statements that migrate a schema in a database to the latest version.

    Args:
        conninfo: The address of the database.
        schema: The name of the schema.

    Raises:
        StoreError: The database cannot be read.
    """
    address = Address(conninfo)
    try:
        with address.connect() as connection:
            found = _version(connection, schema)
    except PostgresError as error:
        raise to_store_error(str(address), error) from error
    return script(schema, found[0] if found else 0)


def migrate(connection: Connection, schema: str, place: str) -> None:
    """Migrate the schema to the latest version, in one transaction. Only one process at a time does it.

    Args:
        connection: The connection.
        schema: The name of the schema.
        place: The description of the database, for errors.

    Raises:
        StoreError: A newer version of the package created the schema, and this version must not write to it.
    """
    if (found := _version(connection, schema)) and found[0] >= LATEST:
        verify(connection, schema, place)
        return
    with connection.transaction():
        connection.run(_LOCK, (schema,))
        found = _version(connection, schema)  # another process may have migrated it in the meantime
        version = found[0] if found else 0
        for statement in script(schema, version) if version < LATEST else ():
            if statement.startswith("CREATE SCHEMA") and _exists(connection, schema)[0]:
                continue  # even if it exists, the statement needs the permission to create schemas
            connection.run(statement)
    verify(connection, schema, place)


def verify(connection: Connection, schema: str, place: str) -> None:
    """Check that this version of the package can use the schema.

    Args:
        connection: The connection.
        schema: The name of the schema.
        place: The description of the database, for errors.

    Raises:
        StoreError: The schema does not exist, has an older version, or has a newer version that this version of the
            package must not write to.
    """
    found = _version(connection, schema)
    if found is None:
        raise StoreError(
            f"{place}: the schema {schema!r} does not contain the tables of this package; create them with "
            "`plivo-record db migrate`, or let an administrator run the statements that `plivo-record db print` prints"
        )
    version, oldest_compatible = found
    if version < LATEST:
        raise StoreError(
            f"{place}: the schema {schema!r} has version {version}, and this version of the package needs {LATEST}; "
            "migrate it with `plivo-record db migrate`"
        )
    if oldest_compatible > LATEST:
        raise StoreError(
            f"{place}: the schema {schema!r} has version {version}, and this version of the package knows only "
            f"{LATEST}: a newer version migrated it; upgrade the package"
        )


def _exists(connection: Connection, schema: str) -> tuple[bool, bool]:
    """Return whether the schema exists, and whether it contains the table of its version."""
    [row] = connection.run(_EXISTS, (schema, schema))
    return bool(row[0]), bool(row[1])


def _version(connection: Connection, schema: str) -> tuple[int, int] | None:
    """Return the version of the schema, and the oldest one that is compatible with it. If None, there is no schema."""
    if not _exists(connection, schema)[1]:
        return None
    rows = connection.run(_VERSION.format(schema=quoted(schema))).fetchall()
    return (int(rows[0][0]), int(rows[0][1])) if rows else None
