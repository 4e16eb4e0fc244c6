"""A model hub on this machine, as huggingface_hub asks one: model information and files by range.

It can be told to lie, to break off in the middle, and to want a token.
"""

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

COMMIT = "c0ffee" * 6 + "c0ff"


@dataclass
class Hub:
    """What the hub holds and how it behaves."""

    files: dict[str, bytes]
    repo: str = "org/tiny-sd.v1"
    address: str = ""
    commit: str = COMMIT
    licence: str = "openrail"
    token: str = ""
    storage: str = ""
    """Address of another server that files are to be had from; a hub sends one on to it."""
    shown: list[str | None] = field(default_factory=list)
    """The Authorization of every request."""
    said: dict[str, dict] = field(default_factory=dict)
    """Entries of the list of files that replace the true ones, or stand beside them."""
    break_after: dict[str, list[int]] = field(default_factory=dict)
    """After how many bytes the answers for a file end, one by one."""
    asked: list[str] = field(default_factory=list)
    """Paths of the files that were asked for, with the byte each answer began at."""

    def information(self) -> dict:
        entries = [self._entry(name, content) for name, content in self.files.items()]
        kept = [entry for entry in entries if entry["rfilename"] not in self.said]
        return {
            "id": self.repo, "modelId": self.repo, "sha": self.commit, "private": False,
            "downloads": 0, "likes": 0, "tags": [], "siblings": kept + list(self.said.values()),
            "cardData": {"license": self.licence},
        }  # fmt: skip

    def _entry(self, name: str, content: bytes) -> dict:
        git = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
        entry: dict = {"rfilename": name, "size": len(content), "blobId": git}
        if name.endswith((".safetensors", ".bin")):
            sha256 = hashlib.sha256(content).hexdigest()
            entry["lfs"] = {"sha256": sha256, "size": len(content), "pointerSize": 134}
        return entry


def entry(name: str, content: bytes = b"x", **lies) -> dict:
    """Return one entry of a list of files."""
    return Hub({})._entry(name, content) | lies


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: Hub

    def log_message(self, *arguments: object) -> None:
        pass

    def do_GET(self) -> None:
        hub, path = self.hub, unquote(urlsplit(self.path).path)
        hub.shown.append(self.headers.get("Authorization"))
        if hub.token and self.headers.get("Authorization") != f"Bearer {hub.token}":
            self._refuse(401, "RepoNotFound")
        elif match := re.fullmatch(r"/api/models/([^/]+/[^/]+)(?:/revision/(.+))?", path):
            self._tell(*match.groups())
        elif path.startswith("/blob/"):
            self._send(path.removeprefix("/blob/"))
        elif path.startswith(f"/{hub.repo}/resolve/{hub.commit}/"):
            self._resolve(path.removeprefix(f"/{hub.repo}/resolve/{hub.commit}/"))
        else:
            self._refuse(404, "EntryNotFound")

    def _tell(self, repo: str, revision: str | None) -> None:
        if repo == "org/gated":
            self._refuse(403, "GatedRepo")
        elif repo != self.hub.repo:
            self._refuse(404, "RepoNotFound")
        elif revision not in (None, "main", "v1", self.hub.commit):
            self._refuse(404, "RevisionNotFound")
        else:
            self._answer(200, json.dumps(self.hub.information()).encode())

    def _resolve(self, name: str) -> None:
        if self.hub.storage:
            self._answer(302, b"", headers={"Location": f"{self.hub.storage}/blob/{name}"})
        else:
            self._send(name)

    def _send(self, name: str) -> None:
        content = self.hub.files.get(name)
        if content is None:
            self._refuse(404, "EntryNotFound")
            return
        asked = self.headers.get("Range", "bytes=0-").removeprefix("bytes=").partition("-")
        start = int(asked[0])
        self.hub.asked.append(f"{name}@{start}")
        breaks = self.hub.break_after.get(name, [])
        rest = content[start:]
        sent = rest[: breaks.pop(0)] if breaks else rest
        headers = {"Content-Range": f"bytes {start}-{len(content) - 1}/{len(content)}"}
        self._answer(206 if "Range" in self.headers else 200, sent, len(rest), headers)

    def _refuse(self, status: int, code: str) -> None:
        self._answer(status, b"{}", headers={"X-Error-Code": code})

    def _answer(
        self, status: int, body: bytes, length: int | None = None, headers: dict | None = None
    ) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)
        if length is not None and length > len(body):
            self.close_connection = True


@contextmanager
def serve(hub: Hub) -> Iterator[Hub]:
    """Serve the hub at `hub.address` until the block ends."""
    handler = type("Handler", (_Handler,), {"hub": hub})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        hub.address = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield hub
        finally:
            server.shutdown()
            thread.join()


def files_of(folder: Path) -> dict[str, bytes]:
    """Return every file below a folder by its relative path."""
    found = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}
