"""Connections to PostgreSQL, its schema and its roles."""
