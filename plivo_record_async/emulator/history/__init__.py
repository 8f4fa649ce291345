"""What the emulator remembers: the requests that it received, the callbacks that it sent, and the events of both."""
