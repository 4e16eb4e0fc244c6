"""The second peer: Potato in its own environment, as its own server command runs it.

Potato keeps who judged what in the memory of one process, so it cannot be given more of them.
Annotators come by the address a crowd panel would send them to (`login: url_direct`), and vote with
the two requests of its page: the answer, then "next". Items are handed out in their order, which
asks least of it. Its answers are counted in what it stored for each annotator.
"""

import json
import re
import subprocess
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.annotation.bench import peer
from tests.annotation.bench.clients import Nothing, RefusedError
from tests.annotation.bench.ours import K, free_port
from tests.annotation.bench.wire import Connection, Response

ENVIRONMENT = Path("var/potato/venv")
INSTALL = "make potato"
NAME = "Potato"
_ITEM = re.compile(rb'id="instance_id"[^>]*value="([^"]+)"')
_ARGUMENT = "annotator"
_CONFIGURATION = {
    "annotation_task_name": "bench",
    "task_dir": ".",
    "output_annotation_dir": "kept",
    "output_annotation_format": "json",
    "data_files": ["items.json"],
    "item_properties": {"id_key": "id", "text_key": "text"},
    "user_config": {"allow_all_users": True, "users": []},
    "login": {"type": "url_direct", "url_argument": _ARGUMENT},
    "assignment_strategy": "fixed_order",
    "max_annotations_per_user": -1,
    "max_annotations_per_item": K,
    "annotation_schemes": [
        {
            "annotation_type": "pairwise",
            "name": "choice",
            "description": "Which image do you prefer?",
            "items_key": "text",
            "allow_tie": True,
        }
    ],
    "site_dir": "default",
}


@dataclass
class PotatoAnnotator:
    """One annotator: an answer, then the page of the next item, with a session's cookie."""

    address: str
    name: str
    votes: int = 0
    asked: bool = True
    _last: str = ""
    _connection: Connection | None = field(default=None, repr=False)

    @property
    def connection(self) -> Connection:
        if self._connection is None:
            self._connection = Connection(self.address)
        return self._connection

    def begin(self) -> None:
        if self.connection.get(f"/?{_ARGUMENT}={self.name}").status != 302:
            raise RefusedError("not let in")

    def ask(self) -> str | Nothing:
        answer = self._page()
        if answer.status == 302:  # to the end of the study: all that was assigned is judged
            return Nothing(final=True)
        if answer.status != 200:
            raise RefusedError(f"answered {answer.status}")
        shown = _ITEM.search(answer.body)
        if shown is None or shown[1].decode() == self._last:
            return Nothing(final=False)
        return shown[1].decode()

    def _page(self) -> Response:
        if not self._last:
            return self.connection.get("/annotate")
        return self.connection.post_json("/annotate", b'{"action": "next_instance"}')

    def look(self, pair: str) -> int:
        return 0

    def vote(self, pair: str) -> str | None:
        self.votes += 1
        choice = {"choice:selection": ("A", "B")[self.votes % 2]}
        body = {"instance_id": pair, "annotations": choice, "span_annotations": []}
        answer = self.connection.post_json("/updateinstance", json.dumps(body).encode())
        if answer.status != 200 or json.loads(answer.body).get("status") != "success":
            raise RefusedError(f"answered {answer.status}")
        self._last = pair
        return f"{self.name} {pair}"

    def close(self) -> None:
        self.connection.close()


@dataclass
class Potato:
    """Potato, running on one study."""

    address: str
    folder: Path
    items: int
    pids: tuple[int, ...]
    _given: int = 0

    def annotators(self, count: int) -> list[Any]:
        """Return so many annotators nobody has been yet."""
        self._given += count
        names = (f"a{number}" for number in range(self._given - count, self._given))
        return [PotatoAnnotator(self.address, name) for name in names]

    def check(self, acknowledged: Sequence[str]) -> dict[str, int]:
        """Count in what it stored what must not be."""
        stored = [
            (told["user_id"], item)
            for path in (self.folder / "kept").glob("*/user_state.json")
            for told in [json.loads(path.read_text(encoding="utf-8"))]
            for item in told["instance_id_to_label_to_value"]
        ]
        votes = Counter(item for _, item in stored)
        exact = sum(count == K for count in votes.values())
        over = sum(count > K for count in votes.values())
        return {
            "exact": exact,
            "over": over,
            "under": self.items - exact - over,
            "twice": 0,  # it keeps one answer of an annotator to an item
            "lost": len(set(acknowledged) - {f"{who} {item}" for who, item in stored}),
        }


def version() -> str | None:
    """Return the installed version, None where it is not installed."""
    python = ENVIRONMENT / "bin" / "python"
    if not python.exists():
        return None
    code = "from importlib.metadata import version; print(version('potato-annotation'))"
    found = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False)
    return found.stdout.strip() or None


@contextmanager
def running_potato(items: int, folder: Path) -> Iterator[Potato]:
    """Run it on a study of that many pairs that want five answers each."""
    folder = folder.resolve()
    folder.mkdir(parents=True)
    rows = ({"id": f"i{number}", "text": ["/a.png", "/b.png"]} for number in range(items))
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "items.json").write_text(lines, encoding="utf-8")
    settings = folder / "config.yaml"
    settings.write_text(json.dumps(_CONFIGURATION), encoding="utf-8")  # JSON is YAML
    port = free_port()
    command = [str((ENVIRONMENT / "bin" / "potato").absolute()), "start", settings.name]
    command += ["--port", str(port), "--host", "127.0.0.1"]
    with peer.process(command, peer.own_environment(), folder / "server.log") as pid:
        address = f"http://127.0.0.1:{port}"
        peer.wait_for(f"{address}/health")
        yield Potato(address, folder, items, (pid,))
