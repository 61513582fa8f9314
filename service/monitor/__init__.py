"""Watches runs: infers the end of those that are silent for too long."""
