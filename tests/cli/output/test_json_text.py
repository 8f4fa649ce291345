from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plivo_record_async.cli.output.json_text import json_text

TIME = datetime(2026, 1, 2, tzinfo=UTC)


def test_object_without_a_json_form_is_its_text() -> None:
    assert json.loads(json_text({"path": ValueError("x")})) == {"path": "x"}


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.datetimes(),
        lambda inner: st.lists(inner, max_size=3) | st.tuples(inner) | st.dictionaries(st.text() | st.floats(), inner),
        max_leaves=8,
    )
)
def test_json_is_one_line_that_every_parser_accepts(value: Any) -> None:
    text = json_text({"type": "Anything", "value": value})
    assert text.isascii()
    assert text.isprintable()
    json.dumps(json.loads(text, parse_constant=pytest.fail), ensure_ascii=False).encode()


def test_value_that_json_cannot_represent_is_null_or_escaped() -> None:
    value = {"nan": math.nan, "rest": (-math.inf, b"\xff\n", "\ud800", {1.5: "\udcff"}, TIME)}
    assert json.loads(json_text(value)) == {
        "nan": None,
        "rest": [None, "\\xff\n", "\\ud800", {"1.5": "\\udcff"}, TIME.isoformat()],
    }
