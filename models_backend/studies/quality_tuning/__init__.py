"""Does quality-tuning work here? Trains the three models and judges them on held-out captions."""
