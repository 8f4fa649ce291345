"""The control API of the emulator, under `/__emulator__/`."""
