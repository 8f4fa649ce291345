"""The ways to exchange one request for one answer: own connections, httpx transports, pyreqwest."""
