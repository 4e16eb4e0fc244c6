"""A process that runs tests for pytest-xdist, forked from the parent of the warm processes.

    python tests/warm_worker.py ...

is a small process in the place of `python ...`, by which xdist begins a worker. What the worker is
to run comes on its standard input.
"""

import os
import signal
import sys

if __name__ == "__main__":
    if len(sys.argv) > 1:
        sys.path[0] = os.path.dirname(sys.path[0])
        from models_backend import standby

        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the worker gets it too, and ends in order
        path = os.path.join(os.environ["EVALPLATFORM_TEST_WARM"], "programs")
        sys.exit(standby.ask(path, "tests.warm_worker", []))
    exec(eval(sys.stdin.readline()))
