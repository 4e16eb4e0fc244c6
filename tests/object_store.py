"""An S3-compatible store for tests: moto's server, in a process of its own."""

import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import boto3
import requests
from django.conf import settings

from evalplatform.core.object_storage import storage_setting
from tests import live

KEYS = {"access_key": "tests", "secret_key": "a-secret-of-tests", "security_token": ""}


@dataclass(frozen=True)
class Bucket:
    """A bucket of its own on a running store."""

    endpoint: str
    name: str

    @property
    def url(self) -> str:
        return f"s3://{self.name}/images?endpoint_url={self.endpoint}&region=us-east-1"

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs in its environment to keep its images here."""
        return {
            "OBJECT_STORAGE_URL": self.url,
            "AWS_ACCESS_KEY_ID": KEYS["access_key"],
            "AWS_SECRET_ACCESS_KEY": KEYS["secret_key"],
        }

    @property
    def setting(self) -> dict:
        return storage_setting(self.url, directory=Path(), credentials=KEYS)

    def keys(self) -> list[str]:
        """Return the names of everything stored, sorted."""
        listed = _client(self.endpoint).list_objects_v2(Bucket=self.name).get("Contents", [])
        return [each["Key"] for each in listed]


@contextmanager
def store() -> Iterator[str]:
    """Run the store and yield its address."""
    port = live.free_port()
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    Path(settings.VAR_DIR).mkdir(parents=True, exist_ok=True)
    with (Path(settings.VAR_DIR) / "moto.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        address = f"http://127.0.0.1:{port}"
        _wait_for(f"{address}/moto-api/data.json")
        yield address
    finally:
        process.terminate()
        process.wait()


def make_bucket(endpoint: str) -> Bucket:
    bucket = Bucket(endpoint, f"bucket-{uuid.uuid4().hex[:12]}")
    _client(endpoint).create_bucket(Bucket=bucket.name)
    return bucket


def _client(endpoint: str):
    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id=KEYS["access_key"],
        aws_secret_access_key=KEYS["secret_key"],
    )


def _wait_for(url: str, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            requests.get(url, timeout=5)
            return
        except requests.ConnectionError:
            time.sleep(0.1)
    raise AssertionError(f"{url} did not answer within {seconds} s; see moto.log")
