"""The read side: tables derived from the ledger, and the queries on them."""
