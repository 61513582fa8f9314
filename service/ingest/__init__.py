"""Records many OpenLineage events from streams and files."""
