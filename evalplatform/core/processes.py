"""The embedded services: PostgreSQL, the web server and a worker, as background processes.

For one machine and for the demo. In production a process manager runs gunicorn and Celery, and
none of this is used.
"""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import requests
from django.conf import settings
from django.db import connections

from evalplatform.core import embedded_postgres, static_files
from evalplatform.core.ending import end, is_alive
from evalplatform.core.errors import BadInputError, EvalPlatformError
from evalplatform.core.site import forget_running_site, note_running_site

SERVICES = ("postgres", "web", "worker")
# A busy machine takes its time; a server that ended is noticed at once.
_START_SECONDS = 180
_STOP_SECONDS = 30
_LEFT_OVER_SECONDS = 5
# In the environment of every process of a service, and of those it starts: which service of which
# installation they are. So they are found when the one that was started is killed.
_MARK = "EVALPLATFORM_SERVICE"
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

    @property
    def mark(self) -> str:
        return f"{self.name} of {settings.VAR_DIR}"

    def process(self) -> psutil.Process | None:
        """Return the running process, or None. A recycled process id is not taken for ours."""
        try:
            pid, created = self.pid_file.read_text(encoding="ascii").split()
            process = psutil.Process(int(pid))
            is_ours = f"{process.create_time():.2f}" == created
            return process if is_ours and is_alive(process) else None
        except (OSError, ValueError, psutil.NoSuchProcess):
            return None

    def left_over(self) -> list[psutil.Process]:
        """Return the service's processes that nobody leads: the one that was started is gone."""
        if self.process():
            return []
        return [process for process in psutil.process_iter() if _mark_of(process) == self.mark]

    def start(self) -> None:
        """Start the process if it does not run; what a killed one left behind is ended first."""
        if self.process():
            return
        end(self.left_over(), seconds=_LEFT_OVER_SECONDS)
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
                env=os.environ
                | {"DJANGO_SETTINGS_MODULE": "evalplatform.settings", _MARK: self.mark},
            )
        _children.append(child)
        created = psutil.Process(child.pid).create_time()
        self.pid_file.write_text(f"{child.pid} {created:.2f}", encoding="ascii")

    def stop(self) -> bool:
        """End the process gently, then by force; return whether anything of it was running."""
        process = self.process()
        if process:
            # The children hear of it from their parent.
            children = process.children(recursive=True)
            end([process], then=children, seconds=_STOP_SECONDS)
        left = self.left_over()
        end(left, seconds=_LEFT_OVER_SECONDS)
        for child in _children:
            child.poll()
        self.pid_file.unlink(missing_ok=True)
        return bool(process or left)

    def last_log_line(self) -> str:
        try:
            lines = self.log_file.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            return ""
        return next((line.strip() for line in reversed(lines) if line.strip()), "")


def _mark_of(process: psutil.Process) -> str | None:
    """Return a process's mark; None where it has none, is gone, or is not ours to look into."""
    try:
        return process.environ().get(_MARK) if is_alive(process) else None
    except (psutil.Error, OSError):
        return None


def web(host: str, port: int) -> BackgroundProcess:
    """gunicorn for one machine: two processes a core, of two threads each.

    Requests are short and most of each is Python, where threads of one process wait for another:
    on two cores 4 x 2 stored 210 votes/s, 2 x 8 168. The code is loaded once, before they are
    forked (`--preload`): new code takes a new start, as `services stop` and `start` give it.
    """
    workers = min(16, 2 * (os.cpu_count() or 1))
    command = [sys.executable, "-m", "gunicorn", "evalplatform.wsgi:application"]
    command += ["--bind", f"{host}:{port}", "--workers", str(workers), "--threads", "2"]
    command += ["--preload", "--no-control-socket", "--access-logfile", "-"]
    command += ["--config", "python:evalplatform.core.gunicorn_config"]
    return BackgroundProcess("web", command)


def worker() -> BackgroundProcess:
    """One generation worker. The solo pool, because torch does not survive a fork."""
    command = [sys.executable, "-m", "celery", "-A", "evalplatform.celery", "worker"]
    command += ["--pool", "solo", "--queues", "generation,default", "--loglevel", "INFO"]
    command += ["--without-gossip", "--without-mingle"]
    return BackgroundProcess("worker", command)


def start_web(host: str, port: int) -> str:
    """Start the web server and wait until it answers; return its address.

    Raises:
        BadInputError: it runs at another address, or the port is somebody else's.
        ServiceError: it did not come up.
    """
    process = web(host, port)
    address = f"http://{host}:{port}"
    running = process.process()
    if running is None:
        left = process.left_over()
        end(left, seconds=_LEFT_OVER_SECONDS)
        # A process that was killed holds the port until the last of its threads is gone.
        _refuse_used_port(host, port, patience=5 if left else 0)
        static_files.collect()
        process.start()
    elif f"{host}:{port}" not in running.cmdline():
        bound = running.cmdline()[running.cmdline().index("--bind") + 1]
        raise BadInputError(
            f"the site runs at http://{bound} already; stop it first: make stop, or "
            "manage.py services stop."
        )
    deadline = time.monotonic() + _START_SECONDS
    while process.process() and time.monotonic() < deadline:
        with suppress(requests.RequestException):
            if requests.get(f"{address}/healthz", timeout=5).ok:
                note_running_site(host, port)
                return address
        time.sleep(0.2)
    raise ServiceError(
        f"the web server did not come up at {address} ({process.last_log_line()}); "
        f"see {process.log_file}."
    )


def _refuse_used_port(host: str, port: int, *, patience: float) -> None:
    """Raise `BadInputError` where nobody can listen on a port, after so many seconds of trying."""
    deadline = time.monotonic() + patience
    while (error := _bind(host, port)) and time.monotonic() < deadline:
        time.sleep(0.05)
    if error:
        raise BadInputError(
            f"port {port} on {host} cannot be used ({error.strerror}{_holder_of(port)}); stop "
            "what uses it, or choose another: PORT=8001 make demo, or --port 8001."
        ) from error


def _bind(host: str, port: int) -> OSError | None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            return error
    return None


def _holder_of(port: int) -> str:
    """Return who listens on a port, in words, where the system tells."""
    with suppress(psutil.Error, OSError):
        for each in psutil.net_connections("tcp"):
            if each.status == psutil.CONN_LISTEN and each.laddr.port == port and each.pid:
                return f": process {each.pid}, {psutil.Process(each.pid).name()}"
    return ""


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
        running, left = process.process(), process.left_over()
        states[process.name] = f"running (process {running.pid})" if running else "stopped"
        if left:
            numbers = ", ".join(str(each.pid) for each in left)
            states[process.name] = f"killed; start or stop ends what is left (process {numbers})"
    if settings.EMBEDDED_POSTGRES_DIR:
        running_postgres = embedded_postgres.is_running(settings.EMBEDDED_POSTGRES_DIR)
        states["postgres"] = "running (embedded)" if running_postgres else "stopped"
    else:
        states["postgres"] = "external (DATABASE_URL)"
    return states
