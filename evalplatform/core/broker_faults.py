"""What went wrong with the broker, in words.

kombu wraps what trying again may help. What RabbitMQ refuses, a password or a virtual host, comes
as it gave it.
"""

from amqp.exceptions import AccessRefused, AMQPError, NotAllowed
from kombu.exceptions import OperationalError

BROKER_ERRORS = (OperationalError, AMQPError)
REFUSALS = (AccessRefused, NotAllowed)
_CHECK = "check user, password and virtual host in BROKER_URL, and what that user may do"


def said_of_broker(error: BaseException) -> str:
    """Say in a few words what is wrong."""
    if isinstance(error, REFUSALS):
        return f"the broker refuses this connection ({error.reply_text})"
    return f"the broker cannot be reached ({error})"


def advice_on_broker(error: BaseException) -> str:
    """Say what to do about it."""
    return _CHECK if isinstance(error, REFUSALS) else "start it, or check BROKER_URL"
