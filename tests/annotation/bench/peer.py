"""The peer: Label Studio in its own environment, in each way somebody might run it.

`as shipped`   its own server command on SQLite
`PostgreSQL`   its own server command on PostgreSQL
`gunicorn`     the same PostgreSQL, behind gunicorn with our number of workers and threads

Telemetry and version checks are off: they would wait for a network and say nothing about it.
"""

import json
import os
import subprocess
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

from tests.annotation.bench.clients import Nothing, RefusedError
from tests.annotation.bench.database import Server
from tests.annotation.bench.ours import K, free_port
from tests.annotation.bench.wire import Connection

ENVIRONMENT = Path("var/label-studio/venv")
INSTALL = "make label-studio"
CONFIGURATIONS = ("as shipped", "PostgreSQL", "gunicorn")
_QUIET = {
    "SENTRY_DSN": "",
    "FRONTEND_SENTRY_DSN": "",
    "COLLECT_ANALYTICS": "0",
    "LATEST_VERSION_CHECK": "0",
}
_USERS = Path(__file__).with_name("peer_users.py")
_PAIRWISE = """<View>
  <Header value="Which image do you prefer?"/>
  <Pairwise name="choice" toName="left,right"/>
  <Image name="left" value="$left"/>
  <Image name="right" value="$right"/>
</View>"""


class PeerError(Exception):
    """The peer did not start, or refused what sets it up."""


@dataclass
class PeerAnnotator:
    """One annotator: the label stream's two calls, with a token, over one connection."""

    address: str
    project: int
    token: str
    votes: int = 0
    asked: bool = True
    _connection: Connection | None = field(default=None, repr=False)

    @property
    def connection(self) -> Connection:
        if self._connection is None:
            self._connection = Connection(self.address)
        return self._connection

    @property
    def _token(self) -> str:
        return f"Authorization: Token {self.token}\r\n"

    def begin(self) -> None:
        if self.connection.get("/api/current-user/whoami", self._token).status != 200:
            raise RefusedError("token refused")

    def ask(self) -> int | Nothing:
        answer = self.connection.get(f"/api/projects/{self.project}/next", self._token)
        if answer.status == 404:
            return Nothing(final=False)
        if answer.status != 200:
            raise RefusedError(f"answered {answer.status}")
        task: int = json.loads(answer.body)["id"]
        return task

    def look(self, pair: int) -> int:
        return 0

    def vote(self, pair: int) -> str | None:
        self.votes += 1
        value = {"selected": ("left", "right")[self.votes % 2]}
        result = {"type": "pairwise", "from_name": "choice", "to_name": "left,right"}
        body = json.dumps({"result": [result | {"value": value}], "lead_time": 1.5}).encode()
        answer = self.connection.post_json(f"/api/tasks/{pair}/annotations", body, self._token)
        if answer.status != 201:
            raise RefusedError(f"answered {answer.status}")
        return str(json.loads(answer.body)["id"])

    def close(self) -> None:
        self.connection.close()


@dataclass
class Peer:
    """Label Studio, running, with its users' tokens not given to an annotator yet."""

    address: str
    tokens: list[str]
    pids: tuple[int, ...] = ()

    def make_project(self, name: str, comparisons: int) -> int:
        """Make a pairwise project of that many tasks that want five annotations each."""
        project = self._call(
            "POST",
            "/api/projects",
            {"title": name, "label_config": _PAIRWISE, "maximum_annotations": K},
        )
        number: int = project["id"]
        tasks = [{"left": f"/a/{i}.png", "right": f"/b/{i}.png"} for i in range(comparisons)]
        self._call("POST", f"/api/projects/{number}/import", tasks)
        return number

    def annotators(self, count: int, project: int) -> list[Any]:
        """Take `count` users nobody has used yet."""
        taken, self.tokens = self.tokens[:count], self.tokens[count:]
        if len(taken) < count:
            raise PeerError(f"{count} annotators wanted, {len(taken)} users left")
        return [PeerAnnotator(self.address, project, token) for token in taken]

    def check(self, project: int, comparisons: int, acknowledged: Sequence[str]) -> dict[str, int]:
        """Count in its own export what must not be."""
        export = self._call("GET", f"/api/projects/{project}/export?exportType=JSON")
        stored = [
            (task["id"], annotation["completed_by"], str(annotation["id"]))
            for task in export
            for annotation in task["annotations"]
            if not annotation["was_cancelled"]
        ]
        votes = Counter(task for task, _, _ in stored)
        people = Counter((task, person) for task, person, _ in stored)
        exact = sum(count == K for count in votes.values())
        over = sum(count > K for count in votes.values())
        return {
            "exact": exact,
            "over": over,
            "under": comparisons - exact - over,
            "twice": sum(count > 1 for count in people.values()),
            "lost": len(set(acknowledged) - {identifier for _, _, identifier in stored}),
        }

    def _call(self, method: str, path: str, body: Any = None) -> Any:
        headers = {"Authorization": f"Token {self._administrator}"}
        try:
            response = requests.request(
                method, self.address + path, json=body, headers=headers, timeout=600
            )
            response.raise_for_status()
        except requests.RequestException as error:
            raise PeerError(f"{method} {path} failed ({type(error).__name__})") from error
        return response.json()

    def __post_init__(self) -> None:
        self._administrator = self.tokens.pop(0)


def version() -> str | None:
    """Return the installed version, None where the peer is not installed."""
    pip = ENVIRONMENT / "bin" / "python"
    if not pip.exists():
        return None
    code = "from importlib.metadata import version; print(version('label-studio'))"
    found = subprocess.run([pip, "-c", code], capture_output=True, text=True, check=False)
    return found.stdout.strip() or None


@contextmanager
def running_peer(
    configuration: str, users: int, server: Server | None, folder: Path, command: Sequence[str]
) -> Iterator[Peer]:
    """Run the peer in one configuration with that many users.

    `command` is gunicorn's worker and thread options for the configuration that uses it.
    """
    folder.mkdir(parents=True)
    port = free_port()
    with ExitStack() as stack:
        environment = own_environment() | _QUIET
        environment["LABEL_STUDIO_BASE_DATA_DIR"] = str(folder.resolve())
        if configuration == "as shipped":
            environment["DJANGO_DB"] = "sqlite"
        elif server is None:
            raise PeerError(
                "no PostgreSQL with the extensions it needs; name one with DATABASE_URL"
            )
        else:
            environment |= _postgres(server, stack.enter_context(server.database("peer")))
        tokens = _make_users(environment, users + 1, folder)
        python = str((ENVIRONMENT / "bin" / "python").absolute())
        if configuration == "gunicorn":
            package = next((ENVIRONMENT / "lib").glob("python*")) / "site-packages/label_studio"
            run = [python, "-m", "gunicorn", "core.wsgi:application", *command]
            run += ["--bind", f"127.0.0.1:{port}", "--chdir", str(package.absolute())]
            environment["DJANGO_SETTINGS_MODULE"] = "core.settings.label_studio"
        else:
            own = str((ENVIRONMENT / "bin" / "label-studio").absolute())
            run = [own, "start", "--no-browser", "--internal-host", "127.0.0.1"]
            run += ["--port", str(port)]
        pids = [stack.enter_context(process(run, environment, folder / "server.log"))]
        if server and configuration != "as shipped":
            pids += server.pids()
        address = f"http://127.0.0.1:{port}"
        wait_for(f"{address}/health")
        yield Peer(address, tokens, tuple(pids))


def _postgres(server: Server, database: str) -> dict[str, str]:
    return {
        "DJANGO_DB": "default",
        "POSTGRE_HOST": server.host,
        "POSTGRE_PORT": server.port,
        "POSTGRE_USER": server.user,
        "POSTGRE_PASSWORD": server.password,
        "POSTGRE_NAME": database,
    }


def _make_users(environment: dict[str, str], count: int, folder: Path) -> list[str]:
    command = [str((ENVIRONMENT / "bin" / "python").absolute()), str(_USERS), str(count)]
    done = subprocess.run(
        command, env=environment, cwd=folder, capture_output=True, text=True, check=False
    )
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["no message"]
        raise PeerError(f"it could not be set up ({lines[-1]})")
    tokens: list[str] = json.loads(done.stdout.splitlines()[-1])
    return tokens


def own_environment() -> dict[str, str]:
    """Return the environment without what is ours, and not for a peer."""
    ours = ("DJANGO_SETTINGS_MODULE", "DATABASE_URL", "SECRET_KEY")
    return {name: value for name, value in os.environ.items() if name not in ours}


@contextmanager
def process(command: list[str], environment: dict[str, str], log: Path) -> Iterator[int]:
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=log.parent,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        try:
            yield process.pid
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def wait_for(url: str, seconds: float = 180) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if requests.get(url, timeout=5).ok:
                return
        except requests.RequestException:
            time.sleep(0.3)
    raise PeerError(f"it did not answer within {seconds:.0f} s")
