"""Style Tailoring against its baselines, in small."""
