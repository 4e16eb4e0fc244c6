"""A masked transformer over image tokens (as Muse; sizes and tokenizer are ours)."""
