"""Where a request comes from: as our own proxy saw it, and never as a visitor says."""

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import RequestFactory

from evalplatform import env
from evalplatform.core.addresses import client_address, client_network


def request_from(peer: str, forwarded: str | None = None):
    headers = {} if forwarded is None else {"HTTP_X_FORWARDED_FOR": forwarded}
    return RequestFactory().get("/", REMOTE_ADDR=peer, **headers)


def test_without_a_trusted_proxy_the_header_means_nothing(settings):
    settings.TRUSTED_PROXIES = []
    assert client_address(request_from("203.0.113.9", "198.51.100.1")) == "203.0.113.9"
    assert client_address(request_from("127.0.0.1", "198.51.100.1")) == "127.0.0.1"


def test_header_of_a_machine_that_is_no_proxy_of_ours_means_nothing(settings):
    settings.TRUSTED_PROXIES = ["127.0.0.1"]
    assert client_address(request_from("203.0.113.9", "198.51.100.1")) == "203.0.113.9"


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("127.0.0.1", "203.0.113.9", "203.0.113.9"),
        # What a visitor wrote stands before what the proxy added.
        ("127.0.0.1", "198.51.100.1, 203.0.113.9", "203.0.113.9"),
        ("127.0.0.1", "198.51.100.1, 203.0.113.9, 10.1.2.3", "203.0.113.9"),
        ("127.0.0.1", "no address", "127.0.0.1"),
        ("127.0.0.1", "", "127.0.0.1"),
        ("127.0.0.1", None, "127.0.0.1"),
        ("", "203.0.113.9", "203.0.113.9"),  # a Unix socket
        ("::ffff:127.0.0.1", "203.0.113.9", "203.0.113.9"),
    ],
)
def test_trusted_proxy_says_where_a_request_comes_from(settings, peer, forwarded, address):
    settings.TRUSTED_PROXIES = ["127.0.0.1", "10.0.0.0/8", "unix"]
    assert client_address(request_from(peer, forwarded)) == address


def test_socket_counts_as_this_machine_unless_it_is_trusted(settings):
    settings.TRUSTED_PROXIES = ["127.0.0.1"]
    assert client_address(request_from("", "203.0.113.9")) == "127.0.0.1"


def test_one_network_of_ipv6_is_one_place(settings):
    settings.TRUSTED_PROXIES = []
    home = "2001:db8:1:2::"
    assert client_network(request_from("2001:db8:1:2::5")) == home
    assert client_network(request_from("2001:db8:1:2:aaaa::9")) == home
    assert client_network(request_from("203.0.113.9")) == "203.0.113.9"


def test_setting_that_is_no_network_is_refused(monkeypatch):
    monkeypatch.setenv("TRUSTED_PROXIES", "127.0.0.1,proxy.example.org")
    with pytest.raises(ImproperlyConfigured, match=r"proxy\.example\.org"):
        env.networks("TRUSTED_PROXIES")
