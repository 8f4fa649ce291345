"""What a download costs: bytes a second compared with raw httpx to the same disk, CPU time, and memory."""
