"""Processes that serve the HTTP API."""
