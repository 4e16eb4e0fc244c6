"""Many arms: strengths, orders, and what they rest on."""
