"""Connectors, which send a request and read its response: the client's own connections, httpx transports, pyreqwest."""
