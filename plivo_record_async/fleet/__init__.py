"""Fleets: workers on one machine or several that share batches of starts. They need the extra ``fleet``."""

from plivo_record_async.fleet.batches import BatchProgress, FleetClient
from plivo_record_async.fleet.worker import Fleet

__all__ = ["BatchProgress", "Fleet", "FleetClient"]
