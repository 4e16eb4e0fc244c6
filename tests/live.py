"""Real processes over the test database: gunicorn and a Celery worker."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import IO
from urllib.parse import quote

import requests
from django.conf import settings
from django.db import connections

from evalplatform.core import static_files
from tests import warm

Process = subprocess.Popen | warm.Process


def environment(**extra: str) -> dict[str, str]:
    """Return the environment of a process that works on the test database."""
    database = connections["default"].settings_dict
    user, name = database["USER"] or "", database["NAME"]
    host = database["HOST"] or database.get("OPTIONS", {}).get("host", "")
    if host.startswith("/"):
        url = f"postgresql://{user}@/{name}?host={quote(host, safe='')}"
    else:
        password = f":{quote(database['PASSWORD'])}" if database["PASSWORD"] else ""
        url = f"postgresql://{user}{password}@{host}:{database['PORT'] or 5432}/{name}"
    return os.environ | {
        "DATABASE_URL": url,
        "DJANGO_SETTINGS_MODULE": "evalplatform.settings",
        "EVALPLATFORM_VAR": str(settings.VAR_DIR),
        **extra,
    }


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@cache
def collect_static_files() -> None:
    """Once for all sites of the test run: the code does not change meanwhile."""
    static_files.collect()


@contextmanager
def site(**extra: str) -> Iterator[str]:
    """Run gunicorn, with the static files collected, and yield the site's address."""
    collect_static_files()
    address = f"127.0.0.1:{free_port()}"
    command = [sys.executable, "-m", "gunicorn", "evalplatform.wsgi:application", "--bind", address]
    command += ["--workers", "2", "--threads", "4", "--preload", "--no-control-socket"]
    with _log("site") as log:
        process = _start(command, environment(**extra), log)
        with _ended_in_the_end(process):
            wait_for(f"http://{address}/healthz", process)
            yield f"http://{address}"


@contextmanager
def worker(*, cold: bool = False, **extra: str) -> Iterator[Process]:
    """Run a Celery worker on the generation queue; `cold` as an operator starts one."""
    arguments = ["-A", "evalplatform.celery", "worker", "--pool", "solo"]
    arguments += ["--queues", "generation,default", "--without-gossip", "--without-mingle"]
    arguments += ["--loglevel", "INFO"]
    env = environment(**extra)
    with _log("worker") as log:
        if cold:
            process = _start([sys.executable, "-m", "celery", *arguments], env, log)
        else:
            # The checks load every page and every route, which a worker at work needs none of.
            env |= {"CELERY_SKIP_CHECKS": "true"}
            process = warm.start("celery", *arguments, env=env, stdout=log, stderr=log)
        with _ended_in_the_end(process):
            yield process


def _log(name: str) -> IO[bytes]:
    return (settings.VAR_DIR / f"{name}.log").open("ab")


def _start(command: list[str], env: dict[str, str], log: IO[bytes]) -> subprocess.Popen:
    return subprocess.Popen(command, cwd=settings.BASE_DIR, env=env, stdout=log, stderr=log)


@contextmanager
def _ended_in_the_end(process: Process) -> Iterator[None]:
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_for(url: str, process: subprocess.Popen, seconds: float = 180) -> None:
    """Wait until a server answers. Raises once its process has ended, or the time is over."""
    deadline = time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < deadline:
        try:
            if requests.get(url, timeout=5).ok:
                return
        except requests.RequestException:
            time.sleep(0.1)
    ended = process.poll()
    raise AssertionError(
        f"{url} did not answer within {seconds} s"
        if ended is None
        else f"gunicorn ended with {ended} before {url} answered"
    )
