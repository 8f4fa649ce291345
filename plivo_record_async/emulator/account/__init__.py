"""The emulated account: its conferences, its recordings, and the callbacks that they cause."""
