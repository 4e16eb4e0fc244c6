"""The embedded services: PostgreSQL, the web server and a worker, as background processes.

For one machine and for the demo. In production a process manager runs gunicorn and Celery, and
none of this is used.
"""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil
import requests
from django.conf import settings
from django.db import connections

from evalplatform.core import embedded_postgres, static_files
from evalplatform.core.errors import BadInputError, EvalPlatformError
from evalplatform.core.site import forget_running_site, note_running_site

SERVICES = ("postgres", "web", "worker")
_STOP_SECONDS = 30
# Kept, because a Popen that is collected while its process runs warns of a leak.
_children: list[subprocess.Popen[bytes]] = []


class ServiceError(EvalPlatformError):
    """A service did not start; the message names its log."""


@dataclass(frozen=True)
class BackgroundProcess:
    """A process of ours that outlives the command that started it."""

    name: str
    command: list[str]

    @property
    def pid_file(self) -> Path:
        return Path(settings.VAR_DIR) / "run" / f"{self.name}.pid"

    @property
    def log_file(self) -> Path:
        return Path(settings.VAR_DIR) / "log" / f"{self.name}.log"

    def process(self) -> psutil.Process | None:
        """Return the running process, or None. A recycled process id is not taken for ours."""
        try:
            pid, created = self.pid_file.read_text(encoding="ascii").split()
            process = psutil.Process(int(pid))
            alive = process.status() != psutil.STATUS_ZOMBIE
            return process if alive and f"{process.create_time():.2f}" == created else None
        except (OSError, ValueError, psutil.NoSuchProcess):
            return None

    def start(self) -> None:
        if self.process():
            return
        self.pid_file.parent.mkdir(parents=True, exist_ok=True)
        self.log_file.parent.mkdir(parents=True, exist_ok=True)
        with self.log_file.open("ab") as log:
            child = subprocess.Popen(
                self.command,
                cwd=settings.BASE_DIR,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env=os.environ | {"DJANGO_SETTINGS_MODULE": "evalplatform.settings"},
            )
        _children.append(child)
        created = psutil.Process(child.pid).create_time()
        self.pid_file.write_text(f"{child.pid} {created:.2f}", encoding="ascii")

    def stop(self) -> bool:
        """End the process gently, then by force; return whether one was running."""
        process = self.process()
        if process is None:
            return False
        family = [process, *process.children(recursive=True)]
        process.send_signal(signal.SIGTERM)
        _, alive = psutil.wait_procs(family, timeout=_STOP_SECONDS)
        for survivor in alive:
            survivor.kill()
        for child in _children:
            child.poll()
        self.pid_file.unlink(missing_ok=True)
        return True

    def last_log_line(self) -> str:
        try:
            lines = self.log_file.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            return ""
        return next((line.strip() for line in reversed(lines) if line.strip()), "")


def web(host: str, port: int) -> BackgroundProcess:
    """gunicorn for one machine: two processes a core, of two threads each.

    Requests are short and most of each is Python, where threads of one process wait for another:
    on two cores 4 x 2 stored 210 votes/s, 2 x 8 168.
    """
    workers = min(16, 2 * (os.cpu_count() or 1))
    command = [sys.executable, "-m", "gunicorn", "evalplatform.wsgi:application"]
    command += ["--bind", f"{host}:{port}", "--workers", str(workers), "--threads", "2"]
    # The path without its query: an annotator's personal link carries their key there.
    log_format = "%(t)s %(m)s %(U)s %(s)s %(B)s bytes %(L)s s"
    command += ["--no-control-socket", "--access-logfile", "-", "--access-logformat", log_format]
    return BackgroundProcess("web", command)


def worker() -> BackgroundProcess:
    """One generation worker. The solo pool, because torch does not survive a fork."""
    command = [sys.executable, "-m", "celery", "-A", "evalplatform.celery", "worker"]
    command += ["--pool", "solo", "--queues", "generation,default", "--loglevel", "INFO"]
    command += ["--without-gossip", "--without-mingle"]
    return BackgroundProcess("worker", command)


def start_web(host: str, port: int) -> str:
    """Start the web server and wait until it answers; return its address."""
    process = web(host, port)
    address = f"http://{host}:{port}"
    if process.process() is None:
        _refuse_used_port(host, port)
        static_files.collect()
        process.start()
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        running = process.process()
        if running is None:
            break
        try:
            if requests.get(f"{address}/healthz", timeout=5).ok:
                note_running_site(host, port)
                return address
        except requests.RequestException:
            time.sleep(0.2)
    raise ServiceError(
        f"the web server did not come up at {address} ({process.last_log_line()}); "
        f"see {process.log_file}."
    )


def _refuse_used_port(host: str, port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise BadInputError(
                f"port {port} on {host} cannot be used ({error.strerror}); stop what uses it, or "
                "choose another: PORT=8001 make demo, or --port 8001."
            ) from error


def check_names(names: Sequence[str]) -> None:
    """Raise `BadInputError` for a service that does not exist."""
    unknown = sorted(set(names) - set(SERVICES))
    if unknown:
        raise BadInputError(f"no service {', '.join(unknown)}; there are {', '.join(SERVICES)}.")


def start_postgres() -> None:
    """Start the embedded PostgreSQL; nothing to do where DATABASE_URL names a server."""
    if settings.EMBEDDED_POSTGRES_DIR:
        embedded_postgres.start(settings.EMBEDDED_POSTGRES_DIR)
        socket_dir = embedded_postgres.socket_dir(settings.EMBEDDED_POSTGRES_DIR)
        connections["default"].settings_dict["HOST"] = str(socket_dir)


def stop_all() -> list[str]:
    """Stop whatever of ours runs, the database last; return the names of what was stopped."""
    stopped = [process.name for process in (worker(), web("", 0)) if process.stop()]
    forget_running_site()
    if settings.EMBEDDED_POSTGRES_DIR and embedded_postgres.stop(settings.EMBEDDED_POSTGRES_DIR):
        stopped.append("postgres")
    return stopped


def status() -> dict[str, str]:
    """Return each service's state in words."""
    states = {}
    for process in (web("", 0), worker()):
        running = process.process()
        states[process.name] = f"running (process {running.pid})" if running else "stopped"
    if settings.EMBEDDED_POSTGRES_DIR:
        running_postgres = embedded_postgres.is_running(settings.EMBEDDED_POSTGRES_DIR)
        states["postgres"] = "running (embedded)" if running_postgres else "stopped"
    else:
        states["postgres"] = "external (DATABASE_URL)"
    return states
