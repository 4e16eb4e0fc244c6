"""A worker's process that is killed over a job: `doomed_worker NUMBER [MODULE:NAME]`.

It does nothing until somebody kills it; or the job, and kills itself where that is called.
"""

import os
import signal
import sys
import time
from importlib import import_module

import django

django.setup()

from django.utils import timezone  # noqa: E402

from evalplatform.api import jobs  # noqa: E402
from evalplatform.api.models import Job  # noqa: E402
from evalplatform.checkpoints.services import registering  # noqa: E402


def main() -> None:
    registering.refuse_unloadable = lambda directory, called: None  # as in the tests' process
    if sys.argv[2:]:
        module, _, name = sys.argv[2].partition(":")
        where = import_module(module)
        assert hasattr(where, name)
        setattr(where, name, lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL))
    else:
        jobs.DOING.update(dict.fromkeys(Job.Kind, lambda job: time.sleep(60)))
    jobs.run_job(number=int(sys.argv[1]), now=timezone.now)


if __name__ == "__main__":
    main()
