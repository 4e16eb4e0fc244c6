"""How requests travel: the standard library alone, errors as exceptions, retries that are safe."""

import base64
import hashlib
import http.client
import json as json_module
import mimetypes
import shutil
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

_TRIES = 4
_STALLS = 6  # parts of a file one after the other of which nothing arrives
_PART = 8 * 2**20
_BYTES = "application/octet-stream"  # put under their hash: sent twice, stored once
_BROKEN = (urllib.error.URLError, http.client.HTTPException, ConnectionError, TimeoutError)
# Of an answer that has no code of its own, as of tus or a proxy.
_CODES = {
    400: "refused", 401: "unauthenticated", 403: "not-allowed", 404: "not-found",
    409: "conflict", 410: "not-found", 413: "too-large", 423: "conflict",
    429: "too-many-requests", 500: "internal", 502: "unavailable", 503: "unavailable",
    504: "unavailable",
}  # fmt: skip


class ApiError(Exception):
    """A problem that the site answered with: what was given, what is accepted, what to do.

    Attributes:
        status: of HTTP. code: stable, such as "not-allowed". fields: of `name` and `detail`.
    """

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        self.status = status
        self.code = str(problem.get("code", "unknown"))
        self.detail = str(problem.get("detail", ""))
        self.fields: list[dict[str, str]] = list(problem.get("fields", []))
        super().__init__(f"{status} {self.code}: {self.detail}")


class UnreachableError(ConnectionError):
    """The site gave no answer: it is away, its address is wrong, or the connection broke."""


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A redirect would turn a POST into a GET, and carry the token to another host."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


_opener = urllib.request.build_opener(_NoRedirects)


class Transport:
    """Sends requests to one site with one token; `etag` is that of the last answer."""

    def __init__(self, site: str, token: str, *, timeout: float = 60.0) -> None:
        self.site = site.strip().rstrip("/")
        if not self.site.startswith(("https://", "http://")):
            raise ValueError(f"the site {site!r} is no address; give https://HOST or http://HOST")
        self.timeout = timeout
        self.etag: str | None = None
        self._token = token.strip()  # as a file or a mail has it, with the end of its line
        if not (self._token.isascii() and self._token.isprintable()):
            # What sends it would refuse it too, and print it.
            raise ValueError("the token holds what none does; copy it whole, and nothing else")

    def wait(self, job: Mapping[str, Any], *, seconds: float = 600.0) -> Any:
        """Return a job once it is done; raises `ApiError` where it failed, `TimeoutError`."""
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            found = self.call("GET", f"/api/v1/jobs/{job['id']}")
            if found["status"] == "failed":
                raise ApiError(409, {"code": "job-failed", "detail": found["reason"]})
            if found["status"] == "done":
                return found
            time.sleep(0.5)
        raise TimeoutError(f"the job {job['id']} is not done after {seconds:g} s")

    def quoted(self, value: object) -> str:
        """Return a value as a part of an address; raises `ValueError` for what names nothing."""
        text = str(value)
        if text in ("", ".", ".."):  # it would lead to a list, or further up
            raise ValueError(f"{text!r} names nothing; give the name of what is asked for")
        return urllib.parse.quote(text, safe="")

    def call(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        query: Mapping[str, Any] | None = None,
        form: Mapping[str, Any] | None = None,
        file: Path | None = None,
        content: bytes | None = None,
        key: str | None = None,
        if_match: str | None = None,
    ) -> Any:
        """Send a request and return what its JSON holds; None for an answer without a body.

        What may be sent twice (it reads, has an Idempotency-Key, or is a file under its hash) is
        tried again where the connection breaks, and everything where the site asks to wait.
        Raises `ApiError` for what the site answers with, `UnreachableError` where it does not.
        """
        headers: dict[str, str] = {}
        body: bytes | None = None
        if file is not None:
            body, headers["Content-Type"] = _multipart(form or {}, file)
        elif content is not None:
            body, headers["Content-Type"] = content, _BYTES
        elif json is not None or method == "POST":
            body = json_module.dumps({} if json is None else json).encode()
            headers["Content-Type"] = "application/json"
        if key is not None:
            headers["Idempotency-Key"] = key or str(uuid.uuid4())
        if if_match is not None:
            headers["If-Match"] = if_match
        address = self._address(path, query)
        status, self.etag, found = self._sent(method, address, body, headers, _whole)
        try:
            return json_module.loads(found) if found else None
        except ValueError:
            told = f"what answers at {address} is no JSON; is {self.site} the evaluation platform?"
            raise ApiError(status, {"detail": told}) from None

    def lines(self, method: str, path: str, *, json: Any = None) -> Iterator[dict[str, Any]]:
        """Yield the objects of an answer of JSON lines, as they come."""
        with self._sent(method, self._address(path, None), None, {}) as answer:
            for line in answer:
                yield json_module.loads(line)

    def wait_for_export(self, export: Mapping[str, Any], *, seconds: float = 3600.0) -> Any:
        """Return an export once it is ready; raises `ApiError` where it failed, `TimeoutError`."""
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            address = f"/api/v1/campaigns/{export['campaign']}/exports/{export['id']}"
            found = self.call("GET", address)
            if found["state"] == "failed":
                raise ApiError(409, {"code": "export-failed", "detail": found["error"]})
            if found["state"] == "done":
                return found
            time.sleep(0.5)
        raise TimeoutError(f"the export {export['id']} is not ready after {seconds:g} s")

    def save(self, method: str, path: str, to: Path) -> Path:
        """Save a file, going on where the connection broke; `to` is there once it is whole.

        Raises `ValueError` where what came is not what the site has (its ETag is the SHA-256), and
        `UnreachableError` where nothing more comes.
        """
        part = to.with_name(to.name + ".part")
        part.unlink(missing_ok=True)
        etag, size, stalls = "", -1, 0
        while not part.exists() or part.stat().st_size < size:
            offset = part.stat().st_size if part.exists() else 0
            headers = {"Range": f"bytes={offset}-", "If-Range": etag} if offset else {}
            with self._sent(method, self._address(path, None), None, headers) as answer:
                if answer.status == 200:
                    etag, size = answer.headers["ETag"], int(answer.headers["Content-Length"])
                with part.open("ab" if answer.status == 206 else "wb") as out:
                    _copy(answer, out)
            stalls = 0 if part.stat().st_size > offset else stalls + 1
            if stalls == _TRIES and part.stat().st_size < size:
                raise UnreachableError(f"{to.name} breaks off at {offset:,} of {size:,} bytes")
        if _sha256(part) != etag.strip('"'):
            raise ValueError(f"{to.name} is not what the site has; save it again.")
        return part.replace(to)

    def keep(
        self, method: str, path: str, to: Path, *, query: Mapping[str, Any] | None = None
    ) -> Path:
        """Save what the site makes as it sends it; `to` is there once it is whole.

        It cannot go on where the connection broke: that raises, and nothing is left.
        """
        part = to.with_name(to.name + ".part")
        try:
            answer = self._sent(method, self._address(path, query), None, {})
            with answer, part.open("wb") as out:
                shutil.copyfileobj(answer, out)
            return part.replace(to)
        finally:
            part.unlink(missing_ok=True)

    def upload(
        self,
        archive: Path,
        *,
        name: str = "",
        role: str = "",
        project: str = "",
        base: str = "",
        part: str = "",
        scale: float | None = None,
        weights: str = "",
    ) -> dict[str, Any]:
        """Send an archive of a checkpoint by tus, going on after breaks, and await the verdict.

        With `base`, the name of a registered checkpoint, it is a .safetensors file that goes into
        it: a LoRA, of which `scale` is added, or a part such as "unet" or "vae". `weights`, "ema"
        or "plain", chooses of an archive that has both.

        Returns the upload: its `status` is "verified" or "rejected", with the `reason`.
        """
        told = {
            "filename": archive.name, "name": name, "role": role, "project": project,
            "base": base, "part": part, "scale": "" if scale is None else repr(scale),
            "weights": weights,
        }  # fmt: skip
        identifier = self._send(archive, "/uploads/", told)
        while True:
            found: dict[str, Any] = self.call("GET", f"/api/v1/uploads/{identifier}")
            if found["status"] not in ("uploading", "verifying"):
                return found
            time.sleep(0.5)

    def send_file(self, file: Path, *, name: str = "", project: str = "") -> str:
        """Send a file by tus, going on after breaks; return what `sent` of a request names it by.

        `name` is its path among what is sent with it, such as "12/0.png"; empty: its own name.
        """
        told = {"filename": name or file.name, "project": project}
        return self._send(file, "/uploads/files/", told)

    def _send(self, file: Path, endpoint: str, told: Mapping[str, str]) -> str:
        """Send a file with what is told of it; return the last part of its address."""
        size = file.stat().st_size
        metadata = ",".join(
            f"{each} {base64.b64encode(value.encode()).decode()}"
            for each, value in told.items()
            if value
        )
        tus = {"Tus-Resumable": "1.0.0"}
        begin = tus | {"Upload-Length": str(size), "Upload-Metadata": metadata}
        with self._sent("POST", f"{self.site}{endpoint}", b"", begin) as answer:
            address = self.site + answer.headers["Location"]
        before, stalls = -1, 0
        while (offset := self._offset(address, tus)) < size:
            stalls = 0 if offset > before else stalls + 1
            before = offset
            if stalls:
                time.sleep(2.0 ** (stalls - 1))
            try:
                self._send_part(file, address, offset, tus)
            except (ApiError, UnreachableError) as error:
                # Elsewhere by now, or broken off, where what arrived is kept: ask again.
                passes = isinstance(error, UnreachableError) or error.status in (409, 423)
                if not passes or stalls == _STALLS:
                    raise
        identifier: str = address.rstrip("/").rpartition("/")[2]
        return identifier

    def _send_part(self, file: Path, address: str, offset: int, tus: dict[str, str]) -> None:
        with file.open("rb") as content:
            content.seek(offset)
            part = content.read(_PART)
        if not part:
            raise ValueError(f"{file} became shorter while it was sent; send it again")
        kind = "application/offset+octet-stream"
        headers = tus | {"Upload-Offset": str(offset), "Content-Type": kind}
        with self._sent("PATCH", address, part, headers):
            pass

    def _offset(self, address: str, tus: dict[str, str]) -> int:
        with self._sent("HEAD", address, None, tus) as answer:
            return int(answer.headers["Upload-Offset"])

    def _address(self, path: str, query: Mapping[str, Any] | None) -> str:
        given = {name: value for name, value in (query or {}).items() if value is not None}
        return self.site + path + (f"?{urllib.parse.urlencode(given, doseq=True)}" if given else "")

    def _sent(
        self,
        method: str,
        address: str,
        body: bytes | None,
        headers: dict[str, str],
        take: Callable[[Any], Any] = lambda answer: answer,
    ) -> Any:
        """Send a request, again where that is safe; return what `take` makes of its answer."""
        kind = headers.get("Content-Type")
        safe = method in ("GET", "HEAD") or "Idempotency-Key" in headers or kind == _BYTES
        sent = {"Authorization": f"Bearer {self._token}", "Accept": "application/json", **headers}
        for attempt in range(_TRIES):
            request = urllib.request.Request(address, data=body, method=method, headers=sent)
            last, wait = attempt + 1 == _TRIES, 2.0**attempt
            try:
                return take(_opener.open(request, timeout=self.timeout))
            except urllib.error.HTTPError as error:
                with error:
                    problem = self._problem(error)
                    wait = _asked_wait(error) or wait
                # A request of this key that broke off may still be running.
                waits = problem.status in (429, 503) or problem.code == "idempotency-running"
                if last or not (waits or (safe and problem.status in (502, 504))):
                    raise problem from None
            except _BROKEN as error:
                reason = getattr(error, "reason", error)
                if last or not (safe or isinstance(reason, ConnectionRefusedError)):
                    raise self._unreachable(method, address, reason, safe=safe) from error
            time.sleep(wait)
        raise AssertionError("unreachable")

    def _unreachable(
        self, method: str, address: str, reason: object, *, safe: bool
    ) -> UnreachableError:
        said = str(reason) or type(reason).__name__
        if safe or isinstance(reason, ConnectionRefusedError):
            return UnreachableError(
                f"{self.site} cannot be reached ({said}); is it running, and is this its address?"
            )
        path = address.removeprefix(self.site)
        return UnreachableError(
            f"{self.site} did not answer {method} {path} ({said}); it may have been done: look "
            "before you send it again"
        )

    def _problem(self, error: urllib.error.HTTPError) -> ApiError:
        if 300 <= error.code < 400:
            to = urllib.parse.urljoin(self.site, error.headers.get("Location") or "")
            said = f"{self.site} leads on to {to}; give the client the address that it is at"
            return ApiError(error.code, {"code": "redirected", "detail": said})
        try:
            content = error.read()
        except (http.client.HTTPException, OSError):  # broken off
            content = b""
        try:
            return ApiError(error.code, dict(json_module.loads(content)))
        except (ValueError, TypeError):
            said = content.decode("utf-8", "replace")[:500] or str(error.reason)
            code = _CODES.get(error.code, "unknown")
            return ApiError(error.code, {"code": code, "detail": said})


def _whole(answer: Any) -> tuple[int, str | None, bytes]:
    """Return the status, the ETag and all bytes of an answer."""
    with answer:
        return answer.status, answer.headers.get("ETag"), answer.read()


def _asked_wait(error: urllib.error.HTTPError) -> float | None:
    """Return for how many seconds an answer asks to wait, 60 at most; None where it does not."""
    given = str(error.headers.get("Retry-After") or "")  # a proxy may give a date
    return min(60.0, float(given)) if given.isascii() and given.isdigit() else None


def _copy(answer: Any, out: Any) -> None:
    """Write what comes until it ends or breaks; a break is seen by the length."""
    while True:
        try:
            piece = answer.read(1 << 16)
        except (http.client.HTTPException, OSError):
            return
        if not piece:
            return
        out.write(piece)


def _sha256(path: Path) -> str:
    found = hashlib.sha256()
    with path.open("rb") as content:
        while piece := content.read(1 << 20):
            found.update(piece)
    return found.hexdigest()


def _multipart(form: Mapping[str, Any], file: Path) -> tuple[bytes, str]:
    border = uuid.uuid4().hex
    parts = []
    for name, value in form.items():
        if value is not None:
            said = str(value).lower() if isinstance(value, bool) else str(value)
            head = f'--{border}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'
            parts.append(head.encode() + said.encode() + b"\r\n")
    kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
    name = file.name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
    head = (
        f'--{border}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
        f"Content-Type: {kind}\r\n\r\n"
    )
    parts += [head.encode() + file.read_bytes() + b"\r\n", f"--{border}--\r\n".encode()]
    return b"".join(parts), f"multipart/form-data; boundary={border}"
