"""How our workers hold on to the broker: as Celery's do, but for two things."""

import logging
from typing import Any

from celery.exceptions import WorkerShutdown
from celery.worker.consumer import Consumer

from evalplatform.core.broker_faults import REFUSALS, advice_on_broker, said_of_broker

logger = logging.getLogger(__name__)
_STATUS = 2  # as where a setting is wrong


class WorkerConsumer(Consumer):
    """Declares no queues but ours, and ends where the broker will not have it."""

    class Blueprint(Consumer.Blueprint):
        # For quorum queues Celery would declare 28 queues more, of names without our prefix, for
        # messages to be delivered later. We send none.
        default_steps = [
            each for each in Consumer.Blueprint.default_steps if "delayed_delivery" not in each
        ]

    def ensure_connected(self, conn: Any) -> Any:
        """Wait for a broker that is away, as Celery does; end with one line where it refuses.

        Celery would print a traceback of a wrong password, and of a virtual host that is not there
        ten a second for ever.
        """
        try:
            return super().ensure_connected(conn)
        except REFUSALS as error:
            logger.critical("%s; %s.", said_of_broker(error), advice_on_broker(error))
            raise WorkerShutdown(_STATUS) from error
