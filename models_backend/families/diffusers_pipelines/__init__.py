"""Pipelines that diffusers loads, sampled as they are."""
