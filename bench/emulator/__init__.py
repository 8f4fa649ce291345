"""What the emulator costs: starts a second with and without its log, memory, and many starts in one conference."""
