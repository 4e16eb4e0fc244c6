"""What a run is asked to do: TOML tables read strictly into dataclasses. No torch here.

Defaults are ours unless a comment cites the paper.
"""
