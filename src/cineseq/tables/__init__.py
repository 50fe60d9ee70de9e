"""The contracts of all tables, one module per domain."""
