"""Archives, restores and erases payloads; rebuilds the catalog."""
