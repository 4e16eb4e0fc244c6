"""What gunicorn reads by itself when it is started in this folder."""

from evalplatform.core.gunicorn_config import *  # noqa: F403
