"""docs/howto/logging.md lists exactly the log records that the source code writes, and its JSON example works."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import attrs

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "plivo_record_async"
PAGE = (ROOT / "docs" / "howto" / "logging.md").read_text(encoding="utf-8")

LEVELS = {"debug": "DEBUG", "info": "INFO", "warning": "WARNING", "error": "ERROR", "exception": "ERROR"}
LOGGERS = {"log", "_logger"}
"""What the modules of the package call their logger."""


@attrs.frozen(order=True)
class LogRecord:
    """What one kind of record has in common, with ``{}`` in place of each value."""

    logger: str
    level: str
    message: str
    traceback: bool


def without_values(message: str) -> str:
    """Put ``{}`` in the place of each value of a message, and each name of a value on the page."""
    return re.sub(r"%[.\d]*[srdfg]|\{[\w ]*\}", "{}", message)


def message_of(node: ast.expr, function: ast.AST) -> str:
    """Return the text of an expression. A variable has the text that was last assigned to it in the function."""
    match node:
        case ast.Constant(value=str(text)):
            return without_values(text)
        case ast.JoinedStr(values=values):
            return "".join(message_of(value, function) for value in values)
        case ast.FormattedValue(value=ast.Name() as name):
            text = message_of(name, function)
            return text if text and not text.startswith("{}") else "{}"
        case ast.Name() | ast.Attribute():
            wanted = ast.unparse(node)
            for assignment in ast.walk(function):
                if isinstance(assignment, ast.Assign) and isinstance(assignment.value, ast.Constant | ast.JoinedStr):
                    targets = [ast.unparse(target) for target in assignment.targets]
                    if wanted in targets:
                        return message_of(assignment.value, function)
        case _:
            pass
    return "{}"


def records_of(path: Path) -> Iterator[LogRecord]:
    """Return the records that a module of the package writes."""
    source = path.read_text(encoding="utf-8")
    tree = ast.parse(source)
    module = path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".")
    logger = module if "getLogger(__name__)" in source else "plivo_record_async"
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    for function in functions:
        for call in ast.walk(function):
            match call:
                case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr=method), args=[text, *_]) if (
                    name in LOGGERS and method in LEVELS
                ):
                    keywords = {keyword.arg for keyword in call.keywords}
                    traceback = method == "exception" or "exc_info" in keywords
                    yield LogRecord(logger, LEVELS[method], message_of(text, function), traceback)
                case ast.Call(func=ast.Attribute(attr="write"), args=[text], keywords=keywords) if (
                    "BoundedLog" in source
                ):
                    level = "ERROR" if any(keyword.arg == "level" for keyword in keywords) else "WARNING"
                    yield LogRecord(logger, level, message_of(text, function), traceback=False)
                case _:
                    pass


def records_in_source() -> set[LogRecord]:
    return {record for path in PACKAGE.rglob("*.py") for record in records_of(path)}


def records_on_page() -> set[LogRecord]:
    """Return the rows of the tables, each below a heading that names its logger."""
    found = set[LogRecord]()
    for section in re.split(r"^## ", PAGE, flags=re.MULTILINE):
        heading = re.match(r"The logger `([\w.]+)`", section)
        rows = re.findall(r"^\| ([A-Z]+)( with traceback)? \| `([^`]+)` \|", section, re.MULTILINE)
        found |= {
            LogRecord(heading[1], level, without_values(message), bool(traceback))
            for level, traceback, message in rows
            if heading
        }
    return found


def describes(row: LogRecord, record: LogRecord) -> bool:
    """Return whether a row is about a record. ``…`` in a row stands for any words."""
    pattern = ".*".join(re.escape(part.strip()) for part in row.message.split("…"))
    return re.fullmatch(pattern, record.message) is not None and attrs.evolve(row, message=record.message) == record


def test_page_lists_exactly_the_records_of_the_source() -> None:
    rows, records = records_on_page(), records_in_source()
    assert [record for record in sorted(records) if sum(describes(row, record) for row in rows) != 1] == []
    assert [row for row in sorted(rows) if sum(describes(row, record) for record in records) != 1] == []


def test_every_logger_of_the_package_is_on_the_page() -> None:
    names = set[str]()
    for path in PACKAGE.rglob("*.py"):
        for argument in re.findall(r"getLogger\(([^)]*)\)", path.read_text(encoding="utf-8")):
            module = path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".")
            names.add(module if argument == "__name__" else argument.strip('"'))
    of_others = {"", "verbose", "dbos"}  # the command line shows them, and a fleet silences the last one
    assert {name for name in names - of_others if f"The logger `{name}`" not in PAGE} == set()
