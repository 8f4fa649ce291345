"""`StoreContract`, the tests that every store must pass.

To test a store of your own, derive a test class and override its fixture ``store``. pytest needs no other plugin:

.. code-block:: python

    import pytest

    from plivo_record_async import MemoryStore
    from plivo_record_async.testing.store_contract import StoreContract

    class TestMyStore(StoreContract):
        @pytest.fixture
        def store(self):
            return MemoryStore()  # return a new object of your own store here
"""

from plivo_record_async.testing.store_contract.erasure import ErasureContract
from plivo_record_async.testing.store_contract.lifetime import LifetimeContract
from plivo_record_async.testing.store_contract.listing import ListingContract
from plivo_record_async.testing.store_contract.orphans import OrphanContract
from plivo_record_async.testing.store_contract.records import RecordContract
from plivo_record_async.testing.store_contract.watching import WatchingContract

__all__ = ["StoreContract"]


class StoreContract(
    RecordContract, ListingContract, WatchingContract, OrphanContract, ErasureContract, LifetimeContract
):
    """The pytest tests that every store must pass.

    For each test, the fixture ``store`` must return a new and empty store that has not been used in an event loop. Each
    test runs in an event loop of its own and closes the store at its end. If the store leaves something behind, such as
    a database, the fixture must remove it.
    """
