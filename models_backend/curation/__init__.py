"""Needles in a haystack: scores of a big set of images, rules over them, and the pool they leave.

`score` looks at every image once; `select` applies rules to the scores and writes a pool, which
people then judge (evalplatform.curation). What each file holds: docs/curation.md.
"""
