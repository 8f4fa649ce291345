"""Connectors, which exchange one request for its response: own connections, httpx transports, pyreqwest."""
