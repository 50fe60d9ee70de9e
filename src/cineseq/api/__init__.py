"""The interface for other programs, which ``import cineseq as cs`` gives: arrays and tables in, tables out.

Nothing is written, and only the movie and the model that a call names are read. The steps of the workflow read their
files, call the same code, and write the results.
"""
