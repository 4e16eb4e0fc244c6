"""A server that answers as Prolific's API does, for one study."""

import csv
import io
import json
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

TOKEN = "a-token"


class Prolific(ThreadingHTTPServer):
    """Holds submissions by id; `faults` are answered, first to last, before anything is done.

    A fault: (status, headers), or "hang up". `fails_after_paying` breaks the connection of the
    next payment after it was made; `says_of_payments` is what it answers to them otherwise.
    """

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.submissions: dict[str, dict] = {}
        self.planned: dict[str, dict[str, str]] = {}
        self.paid: Counter[str] = Counter()  # cents by submission
        self.approvals: list[str] = []
        self.faults: list = []
        self.fails_after_paying = False
        self.says_of_payments = b""
        self.requests: list[str] = []
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def has(self, submission: str, participant: str, status: str, study: str = "study1") -> None:
        self.submissions[submission] = {
            "id": submission, "participant_id": participant, "status": status, "study_id": study,
            "started_at": "2026-11-01T10:00:00Z", "completed_at": None,
        }  # fmt: skip


class _Handler(BaseHTTPRequestHandler):
    server: Prolific

    def log_message(self, *args):
        pass

    def do_GET(self):
        self._answer("GET", {})

    def do_POST(self):
        length = int(self.headers.get("Content-Length") or 0)
        self._answer("POST", json.loads(self.rfile.read(length) or b"{}"))

    def _answer(self, method, body):
        prolific, parts = self.server, urlsplit(self.path)
        prolific.requests.append(f"{method} {parts.path}")
        if prolific.faults:
            fault = prolific.faults.pop(0)
            if fault == "hang up":
                self.close_connection = True
                return
            self._send(fault[0], {"error": {"detail": "as asked"}}, fault[1])
        elif self.headers.get("Authorization") != f"Token {TOKEN}":
            self._send(401, {"error": {"detail": "Invalid token."}})
        else:
            self._do(parts.path, {k: v[0] for k, v in parse_qs(parts.query).items()}, body)

    def _do(self, path, query, body):
        prolific = self.server
        match path.removeprefix("/api/v1/").strip("/").split("/"):
            case ["submissions"]:
                rows = [r for r in prolific.submissions.values() if r["study_id"] == query["study"]]
                if not rows:
                    return self._send(404, {"error": {"detail": "Not found."}})
                size = min(int(query["page_size"]), 2)  # smaller pages than were asked for
                start = size * (int(query["page"]) - 1)
                return self._send(200, {"results": rows[start : start + size]})
            case ["submissions", "bonus-payments"]:
                rows = csv.reader(io.StringIO(body["csv_bonuses"]))
                amounts = {row[0]: row[1] for row in rows}
                if unknown := set(amounts) - set(prolific.submissions):
                    return self._send(400, {"error": {"detail": f"unknown: {len(unknown)}"}})
                name = f"bonus{len(prolific.planned) + 1}"
                prolific.planned[name] = amounts
                return self._send(201, {"id": name, "study": body["study_id"]})
            case ["submissions", submission, "transition"]:
                if submission not in prolific.submissions:
                    return self._send(404, {"error": {"detail": "Not found."}})
                assert body == {"action": "APPROVE"}
                prolific.submissions[submission]["status"] = "APPROVED"
                prolific.approvals.append(submission)
                return self._send(200, prolific.submissions[submission])
            case ["bulk-bonus-payments", name, "pay"]:
                for submission, amount in prolific.planned[name].items():
                    prolific.paid[submission] += round(100 * float(amount))
                if prolific.fails_after_paying:
                    self.close_connection = True
                    return None
                return self._send(202, prolific.says_of_payments)
        return self._send(404, {"error": {"detail": "Not found."}})

    def _send(self, status, body, headers=()):
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in dict(headers).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
