"""What a command writes: lines for people, JSON for programs, log records, and its exit code."""
