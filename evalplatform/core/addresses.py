"""Which address a request comes from."""

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

from django.conf import settings
from django.http import HttpRequest

_Address = IPv4Address | IPv6Address
# One household or office of IPv6 has so many leading bits for itself.
_IPV6_PREFIX = 64
_THIS_MACHINE = "127.0.0.1"


def client_address(request: HttpRequest) -> str:
    """Return the address of who asks, as the nearest machine that is no proxy of ours saw it.

    `X-Forwarded-For` counts only where the request comes from one of TRUSTED_PROXIES, and then
    from its end: a visitor can write whatever they like at its beginning. A Unix socket without
    a trusted header counts as this machine.
    """
    address = _parsed(request.META.get("REMOTE_ADDR", ""))
    hops = request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")
    while _is_proxy(address) and hops:
        nearer = _parsed(hops.pop().strip())
        if nearer is None:
            break
        address = nearer
    return _THIS_MACHINE if address is None else str(address)


def client_network(request: HttpRequest) -> str:
    """Return whom limits count as one: an IPv4 address, or the first one of an IPv6 /64 network."""
    address = ip_address(client_address(request))
    if isinstance(address, IPv6Address):
        return str(IPv6Network((address, _IPV6_PREFIX), strict=False).network_address)
    return str(address)


def _parsed(text: str) -> _Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _is_proxy(address: _Address | None) -> bool:
    if address is None:  # a Unix socket has none
        return "unix" in settings.TRUSTED_PROXIES
    return any(
        address in ip_network(each, strict=False)
        for each in settings.TRUSTED_PROXIES
        if each != "unix"
    )
