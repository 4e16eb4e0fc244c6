"""How a browser comes to take part in a campaign: it is known, let in or refused."""
