"""The names of the spans and of the attributes are part of the public interface."""

from __future__ import annotations

from typing import get_args

from plivo_record_async.telemetry.names import CONTENT, KINDS, Attribute, SpanName


def test_names_of_spans_do_not_change() -> None:
    assert set(get_args(SpanName)) == {
        "plivo.recording.start",
        "plivo.recording.stop",
        "plivo.callback.process",
        "plivo.recording.handle",
        "plivo.recording.reconcile",
    }


def test_each_kind_of_content_has_attributes() -> None:
    assert set(CONTENT.values()) == set(KINDS)
    assert CONTENT.keys() <= {value for name, value in vars(Attribute).items() if not name.startswith("_")}
