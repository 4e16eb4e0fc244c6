"""What gunicorn and Celery, programs of others, do with a setting that is wrong.

It is one line and status 2, as of `manage.py`; they would print a traceback for each process.
"""

import os
import sys
from pathlib import Path
from typing import NoReturn

from django.core.exceptions import ImproperlyConfigured

_STATUS = 2


def refuse_wrong_settings() -> None:
    """End this process with one line where a setting is wrong.

    A child reads them: whoever asks stays without, so that what it starts later reads its own.
    """
    child = os.fork()
    if child == 0:
        os._exit(_status_of_settings())
    _, status = os.waitpid(child, 0)
    if os.waitstatus_to_exitcode(status) == _STATUS:
        sys.exit(_STATUS)


def _status_of_settings() -> int:
    """Read the settings; return 2 and print why where one is wrong."""
    try:
        from django.conf import settings

        settings.SITE_URL  # noqa: B018 (reads them all)
    except ImproperlyConfigured as error:
        print(error, file=sys.stderr, flush=True)
        return _STATUS
    except BaseException:
        return 0  # whoever loads the site tells more of a fault of ours
    return 0


def end_celery(error: ImproperlyConfigured) -> NoReturn:
    """End Celery's own program with one line; raise the error in any other."""
    program = Path(sys.argv[0])
    if "celery" not in (program.name, program.parent.name):
        raise error
    print(error, file=sys.stderr)
    sys.exit(_STATUS)
