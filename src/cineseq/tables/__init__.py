"""The contracts of all tables, one module per domain.

A :class:`~cineseq.tables.contract.Column` declares the name, kind, meaning and unit of a column.
"""
