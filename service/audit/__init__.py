"""Reads, follows, exports and verifies the ledger."""
