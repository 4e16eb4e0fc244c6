"""Reward models: what people would prefer, learned from a preference set (docs/feedback.md)."""
