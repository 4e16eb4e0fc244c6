"""The training loop every recipe runs on: configuration, randomness, memory, state and logs."""
