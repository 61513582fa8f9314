"""JSON in and out of events."""
