"""A keep-alive HTTP/1.1 connection that costs the machine little.

The clients share the cores with the server they measure: `requests` takes about 1 ms of processor
time a request, this about 0.1 ms. It speaks just what the two sites answer: a status line,
headers, and a body whose length is given or that ends with the connection.
"""

import socket
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

TIMEOUT = 120.0  # seconds
_QUICKACK = getattr(socket, "TCP_QUICKACK", None)  # Linux


class WireError(Exception):
    """The connection failed, or answered in a way this client does not read."""


@dataclass(frozen=True)
class Response:
    status: int
    headers: bytes
    body: bytes


class Connection:
    """One annotator's connection to one site, with its cookies."""

    def __init__(self, address: str) -> None:
        parts = urlsplit(address)
        self._host, self._port = parts.hostname or "127.0.0.1", parts.port or 80
        self._socket: socket.socket | None = None
        self.cookies: dict[str, str] = {}

    def get(self, path: str, headers: str = "") -> Response:
        return self._exchange(f"GET {path} HTTP/1.1\r\n{self._common()}{headers}\r\n".encode())

    def post_form(self, path: str, fields: dict[str, Any], headers: str = "") -> Response:
        kind = "application/x-www-form-urlencoded"
        return self._post(path, kind, urlencode(fields).encode(), headers)

    def post_json(self, path: str, body: bytes, headers: str = "") -> Response:
        return self._post(path, "application/json", body, headers)

    def close(self) -> None:
        if self._socket:
            self._socket.close()
            self._socket = None

    def _common(self) -> str:
        cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        cookie_line = f"Cookie: {cookies}\r\n" if cookies else ""
        return f"Host: {self._host}:{self._port}\r\nConnection: keep-alive\r\n{cookie_line}"

    def _post(self, path: str, kind: str, body: bytes, headers: str) -> Response:
        head = (
            f"POST {path} HTTP/1.1\r\n{self._common()}{headers}"
            f"Content-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        return self._exchange(head.encode() + body)

    def _exchange(self, message: bytes) -> Response:
        """Send and read the answer. Nothing is sent twice: that would hide a lost vote."""
        try:
            if self._socket is None:
                self._socket = socket.create_connection((self._host, self._port), TIMEOUT)
                self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._socket.sendall(message)
            return self._read(self._socket)
        except (OSError, ValueError) as error:
            self.close()
            raise WireError(type(error).__name__) from error
        except WireError:
            self.close()
            raise

    def _read(self, connection: socket.socket) -> Response:
        received = b""
        while (end := received.find(b"\r\n\r\n")) < 0:
            received += self._receive(connection)
        headers, body = received[:end], received[end + 4 :]
        lowered = headers.lower()
        self._keep_cookies(headers, lowered)
        length = _header(lowered, b"content-length")
        if length is None:
            raise WireError("answer without a length")
        parts, missing = [body], int(length) - len(body)
        while missing > 0:
            parts.append(self._receive(connection))
            missing -= len(parts[-1])
        if _header(lowered, b"connection") == b"close":
            self.close()
        return Response(int(headers[9:12]), headers, b"".join(parts))

    def _receive(self, connection: socket.socket) -> bytes:
        # A server that writes headers and body apart would else wait 40 ms for our delayed
        # acknowledgement, which says nothing about the server.
        if _QUICKACK is not None:
            connection.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)
        chunk = connection.recv(1 << 16)
        if not chunk:
            raise WireError("connection closed")
        return chunk

    def _keep_cookies(self, headers: bytes, lowered: bytes) -> None:
        start = lowered.find(b"\r\nset-cookie:")
        while start >= 0:
            line = headers[start + 13 : (headers + b"\r\n").find(b"\r\n", start + 2)]
            name, _, value = line.split(b";")[0].strip().decode().partition("=")
            self.cookies[name] = value
            start = lowered.find(b"\r\nset-cookie:", start + 2)


def _header(lowered: bytes, name: bytes) -> bytes | None:
    start = lowered.find(b"\r\n" + name + b":")
    if start < 0:
        return None
    end = (lowered + b"\r\n").find(b"\r\n", start + 2)
    return lowered[start + len(name) + 3 : end].strip()
