"""All public values: they are frozen, slotted and comparable, and can be copied and pickled."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import attrs
import pytest

from plivo_record_async.protocol import models
from tests.support.samples.model_examples import REFUSED, VALUES


def test_every_value_has_an_example() -> None:
    public = {getattr(models, name) for name in models.__all__}
    classes = {value for value in public if isinstance(value, type) and attrs.has(value)}
    assert classes == {type(value) for value in VALUES}


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_values_are_frozen_and_slotted_and_copy_and_pickle(value: Any) -> None:
    first = value.__attrs_attrs__[0].name
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        setattr(value, first, "other")
    assert not hasattr(value, "__dict__")
    for twin in (copy.copy(value), copy.deepcopy(value), pickle.loads(pickle.dumps(value))):
        assert type(twin) is type(value)
        assert repr(attrs.asdict(twin)) == repr(attrs.asdict(value))
        assert twin == value or getattr(value, "error", None) is REFUSED, "an exception is equal to itself only"
