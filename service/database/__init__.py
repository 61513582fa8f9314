"""Connections to PostgreSQL, SQL statements, migrations and roles."""
