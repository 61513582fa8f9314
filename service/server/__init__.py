"""The processes that serve the HTTP API."""
