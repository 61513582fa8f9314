"""Datasets, their versions and their graph: a projection of the ledger with a cursor of its own, and its queries."""
