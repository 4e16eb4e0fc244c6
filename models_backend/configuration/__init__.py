"""What a run is asked to do: TOML tables that pydantic reads strictly into dataclasses. No torch.

Defaults are ours unless a comment cites the paper.
"""
