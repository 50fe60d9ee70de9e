"""The interface for other programs, which ``import cineseq as cs`` gives: arrays and tables in, tables out.

Nothing is written, and nothing read but the movie and the model that a function is told to use. The steps of the
workflow read their files, call the same code, and write what it returns.
"""
