"""The console of the emulator: the page that ``GET /`` serves."""
