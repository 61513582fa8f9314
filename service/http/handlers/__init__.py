"""Handlers: one module for each resource. A handler reads the request, calls one thing, and writes the answer."""
