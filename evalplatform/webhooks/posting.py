"""One POST to an address that a person gave, so that it reaches nothing inside.

The name is resolved once, every address it has is looked at, and the connection is made to one of
those, whatever the name says a moment later. Redirects are not followed, and time and answer are
bounded as a whole.
"""

import http.client
import ipaddress
import socket
import ssl
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from evalplatform.core.errors import BadInputError, EvalPlatformError

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
SECONDS = 10.0
_CONNECTING_SECONDS = 5.0  # of a network that swallows what it is sent
_ANSWER_BYTES = 500
_EMBEDS_V4 = [ipaddress.ip_network("64:ff9b::/96"), ipaddress.ip_network("::/96")]
_6TO4 = ipaddress.ip_network("2002::/16")


class UnreachableError(EvalPlatformError):
    """Nothing was delivered, and why."""


@dataclass(frozen=True)
class WebhookAnswer:
    """What the other side said."""

    status: int
    text: str


@dataclass(frozen=True)
class Reach:
    """What may be reached: `allowed` networks are, whatever else holds; http where `plain`."""

    plain: bool = False
    allowed: Sequence[Network] = ()


def checked_url(url: str, reach: Reach) -> SplitResult:
    """Return the parts of an address that may be told. Raises `BadInputError`."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise BadInputError(f"{url[:80]!r} is no address; give https://HOST/PATH.") from None
    schemes = ("https", "http") if reach.plain else ("https",)
    if parts.scheme not in schemes or not parts.hostname or not url.isascii() or " " in url:
        raise BadInputError(
            f"{url[:80]!r} is no address to tell; give {' or '.join(schemes)}://HOST/PATH."
        )
    if parts.username or parts.password or parts.fragment or port == 0:
        raise BadInputError(
            "the address of a webhook has no user, password or fragment; what it sends is signed."
        )
    if not all(33 <= ord(letter) < 127 for letter in url):
        raise BadInputError("the address of a webhook holds letters that belong into none.")
    return parts


def refuse_inside(url: str, reach: Reach) -> None:
    """Raise `BadInputError` for an address that leads inside; a name that is unknown may pass."""
    parts = checked_url(url, reach)
    try:
        _addresses(parts, reach)
    except UnreachableError as error:
        if "leads to" in str(error):
            raise BadInputError(str(error)) from error


def post(url: str, body: bytes, headers: Mapping[str, str], reach: Reach) -> WebhookAnswer:
    """POST `body` and return the answer. Raises `UnreachableError`, also for an inside address."""
    try:
        parts = checked_url(url, reach)
    except BadInputError as error:
        raise UnreachableError(str(error)) from error
    address, port = _addresses(parts, reach)
    try:
        raw = socket.create_connection((address, port), timeout=_CONNECTING_SECONDS)
    except OSError as error:
        raise UnreachableError(
            f"no connection ({error.strerror or type(error).__name__})"
        ) from error
    raw.settimeout(SECONDS)
    too_long = threading.Event()
    # A second handle of the connection: TLS takes the first one away from us.
    with raw, raw.dup() as handle:
        ends = threading.Timer(SECONDS, _cut, [handle, too_long])
        ends.daemon = True
        ends.start()
        try:
            answer = _exchange(raw, parts, body, headers)
        except (OSError, http.client.HTTPException) as error:
            if not (too_long.is_set() or isinstance(error, TimeoutError)):
                raise UnreachableError(f"it broke off ({type(error).__name__})") from error
            too_long.set()
        finally:
            ends.cancel()
            ends.join()
    if too_long.is_set():  # what was cut may look like a whole answer
        raise UnreachableError(f"it broke off: no whole answer within {SECONDS:g} seconds")
    return answer


def _exchange(
    raw: socket.socket, parts: SplitResult, body: bytes, headers: Mapping[str, str]
) -> WebhookAnswer:
    host = parts.hostname or ""
    sock: socket.socket = raw
    if parts.scheme == "https":
        sock = ssl.create_default_context().wrap_socket(raw, server_hostname=host)
    connection = http.client.HTTPConnection(host, parts.port, timeout=SECONDS)
    connection.sock = sock
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    with sock:
        connection.request("POST", path, body=body, headers={"Host": parts.netloc, **headers})
        with connection.getresponse() as answer:
            said = answer.read1(_ANSWER_BYTES).decode("utf-8", "replace").replace("\0", "?")
    return WebhookAnswer(answer.status, said)


def _cut(handle: socket.socket, too_long: threading.Event) -> None:
    """End what takes too long, a byte at a time too."""
    too_long.set()
    try:
        handle.shutdown(socket.SHUT_RDWR)
    except OSError:
        return


def _addresses(parts: SplitResult, reach: Reach) -> tuple[str, int]:
    """Return an address of the host that may be reached, when all it has may be, and the port."""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    host = parts.hostname or ""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise UnreachableError(f"the name {host[:80]} is not known") from None
    addresses = [str(each[4][0]) for each in found]
    inside = [each for each in addresses if not is_outside(each, reach)]
    if inside or not addresses:
        raise UnreachableError(
            f"{host[:80]} leads to {', '.join(inside[:3]) or 'nowhere'}, an address inside; a "
            "webhook goes to public addresses alone (an operator opens networks by "
            "WEBHOOK_NETWORKS)."
        )
    return addresses[0], port


def is_outside(address: str, reach: Reach) -> bool:
    """Return whether an address is public, or in a network that is allowed.

    An IPv6 address that carries an IPv4 one is as public as that.
    """
    try:
        known = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    carried = _carried(known)
    if any(carried.version == net.version and carried in net for net in reach.allowed):
        return True
    return carried.is_global and not carried.is_multicast and "%" not in address


def _carried(address: Address) -> Address:
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if any(address in net for net in _EMBEDS_V4) and int(address) > 1:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    if address in _6TO4:
        return ipaddress.IPv4Address((int(address) >> 80) & 0xFFFFFFFF)
    return address
