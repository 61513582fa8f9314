"""One module a resource: what it answers, and to what."""
