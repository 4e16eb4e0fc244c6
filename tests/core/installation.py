"""A whole installation in a folder of its own, as `make run` starts it: real processes to kill."""

import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import requests
from django.conf import settings

from tests import live

_LEFT_OUT = ("DATABASE_URL", "BROKER_URL", "QUEUE_PREFIX", "OBJECT_STORAGE_URL")


@dataclass
class Installation:
    """Commands run on it as a person runs them; its processes are found by their pid files."""

    var: Path
    port: int = field(default_factory=live.free_port)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if name not in _LEFT_OUT}
        own = {"EVALPLATFORM_VAR": str(self.var), "DJANGO_SETTINGS_MODULE": "evalplatform.settings"}
        return kept | own

    def manage(self, *arguments: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=settings.BASE_DIR,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=180,
        )

    def services(self, *arguments: str) -> subprocess.CompletedProcess:
        return self.manage("services", *arguments, "--port", str(self.port))

    @property
    def master(self) -> psutil.Process:
        return psutil.Process(int((self.var / "run/web.pid").read_text().split()[0]))

    @property
    def worker(self) -> psutil.Process:
        return psutil.Process(int((self.var / "run/worker.pid").read_text().split()[0]))

    @property
    def postmaster(self) -> psutil.Process:
        return psutil.Process(int((self.var / "postgres/postmaster.pid").read_text().split()[0]))

    def listeners(self) -> set[int]:
        """Return the numbers of all processes that listen on the site's port."""
        return {
            each.pid
            for each in psutil.net_connections("tcp")
            if each.status == psutil.CONN_LISTEN and each.laddr.port == self.port
        }


@contextmanager
def installed() -> Iterator[Installation]:
    """Start database and site in a folder of their own; stop everything of it afterwards."""
    with folder_for_a_database() as folder:
        installation = Installation(folder)
        try:
            started = installation.services("start", "postgres", "web")
            assert started.returncode == 0, started.stderr
            yield installation
        finally:
            installation.services("stop")


@contextmanager
def folder_for_a_database() -> Iterator[Path]:
    """Yield an empty folder that a server of another user may read.

    Where root runs the tests the embedded PostgreSQL has a user of its own, and every run of pytest
    closes the folder of all runs' `tmp_path` to others as it begins: also to servers that run.
    """
    with tempfile.TemporaryDirectory(prefix="installation-", dir=settings.VAR_DIR) as folder:
        yield Path(folder)


def kill(*processes: psutil.Process) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess):  # the database's helpers come and go
            process.send_signal(signal.SIGKILL)


@contextmanager
def visitors(address: str, count: int = 4) -> Iterator[None]:
    """Let visitors ask again and again, each over a connection that is kept."""
    over = threading.Event()

    def visit() -> None:
        session = requests.Session()
        while not over.wait(0.1):
            with suppress(requests.RequestException):
                session.get(f"{address}/healthz", timeout=5)

    threads = [threading.Thread(target=visit) for _ in range(count)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()
