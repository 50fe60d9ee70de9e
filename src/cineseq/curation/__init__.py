"""Curation: the least certain events of tracking as film strips on a page, and the edits that correct them."""
