"""The tests that every store must pass, for stores of your own.

Derive a test class from `StoreContract` and override its fixture ``store``. pytest needs no other plugin:

.. code-block:: python

    import pytest

    from plivo_record_async import MemoryStore
    from plivo_record_async.testing.store_contract import StoreContract

    class TestMyStore(StoreContract):
        @pytest.fixture
        def store(self):
            return MemoryStore()  # your own store
"""

from plivo_record_async.testing.store_contract.erasure import ErasureContract
from plivo_record_async.testing.store_contract.lifetime import LifetimeContract
from plivo_record_async.testing.store_contract.orphans import OrphanContract
from plivo_record_async.testing.store_contract.records import RecordContract
from plivo_record_async.testing.store_contract.watching import WatchingContract

__all__ = ["StoreContract"]


class StoreContract(RecordContract, WatchingContract, OrphanContract, ErasureContract, LifetimeContract):
    """Everything that a store must do.

    The fixture ``store`` returns a new, empty store for each test, which has not been used in an event loop. Each test
    runs in an event loop of its own and closes the store at its end. What a store leaves behind, such as a database, is
    removed by the fixture.
    """
