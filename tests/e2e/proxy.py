"""deploy/nginx.conf as an operator would edit it, in front of a site of the tests."""

import datetime
import getpass
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from django.conf import settings

from tests import live

NAME = "localhost"
SHIPPED = Path(settings.BASE_DIR) / "deploy/nginx.conf"


@dataclass(frozen=True)
class Proxy:
    """A running nginx: `https` and `http` are its two addresses."""

    https: str
    http: str
    checked: str  # what nginx -t said
    folder: Path

    def session(self) -> requests.Session:
        """Return a visitor's session, which knows the certificate."""
        session = requests.Session()
        session.trust_env = False
        session.verify = str(self.folder / "fullchain.pem")
        return session

    def log_with(self, text: str) -> str:
        """Return the access log once it holds `text`: a line follows its answer."""
        deadline = time.monotonic() + 10
        while text not in (log := (self.folder / "access.log").read_text()):
            assert time.monotonic() < deadline, log
            time.sleep(0.02)
        return log


def make_certificate(folder: Path) -> None:
    """Write a certificate for `NAME` that signs itself, as the conf names it, into `folder`."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=2))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (folder / "fullchain.pem").write_bytes(certificate.public_bytes(pem))
    (folder / "privkey.pem").write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )


@contextmanager
def nginx(site: str, folder: Path, **replaced: str) -> Iterator[Proxy]:
    """Run nginx by the shipped file, with the edits its head asks for and ports that are free here.

    `replaced` is further text to replace, by a name for it: {"limit": "old -> new"}.
    """
    make_certificate(folder)
    https, http = live.free_port(), live.free_port()
    edits = {
        "eval.example.org": NAME,
        "/etc/ssl/evalplatform": str(folder),
        "/srv/evalplatform/var": str(settings.VAR_DIR),
        "/srv/evalplatform": str(settings.BASE_DIR),
        "www-data": getpass.getuser(),
        "http://127.0.0.1:8000": site,
        "listen 443 ": f"listen 127.0.0.1:{https} ",
        "listen 80 ": f"listen 127.0.0.1:{http} ",
        "/var/log/nginx/": f"{folder}/",
    }
    edits |= dict(each.split(" -> ") for each in replaced.values())
    text = SHIPPED.read_text()
    for old, new in edits.items():
        assert old in text, f"deploy/nginx.conf does not hold {old!r}"
        text = text.replace(old, new)
    (folder / "nginx.conf").write_text(text)
    command = [shutil.which("nginx"), "-c", str(folder / "nginx.conf"), "-e", f"{folder}/error.log"]
    command += ["-g", f"daemon off; pid {folder}/nginx.pid;"]
    checked = subprocess.run([*command, "-t"], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stderr
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        addresses = f"https://{NAME}:{https}", f"http://127.0.0.1:{http}"
        _wait_for(addresses[1])
        yield Proxy(*addresses, checked=checked.stderr, folder=folder)
    finally:
        process.terminate()
        process.wait()


def _wait_for(address: str) -> None:
    for _ in range(200):
        try:
            requests.get(address, timeout=5, allow_redirects=False)
            return
        except requests.ConnectionError:
            time.sleep(0.05)
    raise AssertionError(f"nginx did not answer at {address}")
