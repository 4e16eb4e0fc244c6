"""Training recipes: Emu's pre-training and quality-tuning."""
