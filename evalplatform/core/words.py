"""Figures as people say them."""


def time_in_words(seconds: float) -> str:
    """Return a duration roughly: "40 s", "12 min", "3 h 20 min", "2 days"."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    if minutes < 48 * 60:
        return f"{minutes // 60} h {minutes % 60} min"
    return f"{round(minutes / 60 / 24)} days"


def counted(count: int, one: str, several: str = "") -> str:
    """Return how many of what: "1 prompt", "1,200 prompts"; `several` where it is not one + s."""
    return f"{count:,} {one if count == 1 else several or one + 's'}"
