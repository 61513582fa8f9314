"""Decodes and encodes the JSON of payloads, requests and OpenLineage events."""
