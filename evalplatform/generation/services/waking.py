"""Messages: each wakes one worker, which then takes what the rows hold for it."""

from celery import current_app

TASK = "generation.generate"
QUEUE = "generation"


def send_wakes(count: int) -> None:
    """Wake up to `count` workers. One message too many, or one lost, does no harm."""
    for _ in range(count):
        current_app.send_task(TASK, queue=QUEUE)
