"""Who may take part in a campaign: what links say, how they are proven, and what limits them."""
