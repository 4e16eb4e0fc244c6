"""Objects in an S3-compatible store. Imported only where OBJECT_STORAGE_URL names one."""

import errno
import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from boto3 import Session
from boto3.exceptions import Boto3Error
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError, NoCredentialsError
from botocore.exceptions import ConnectionError as NoConnectionError
from django.core.files import File
from storages.backends.s3 import S3Storage

from evalplatform.core.object_storage import MissingObjectError, ObjectStorageError

_BAD_KEYS = {"InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken"}
_NO_ACCESS = {"AccessDenied", "403", "Forbidden", "AllAccessDisabled"}
_MISSING = {"NoSuchKey", "404", "NotFound"}
# A session makes the connections of many threads, but one after another.
_connecting = threading.Lock()


class S3Store(S3Storage):
    """django-storages' S3 backend: private objects, one request each, errors a person can act on.

    Raises `ObjectStorageError` where the store cannot be used, and `MissingObjectError`, which is a
    `FileNotFoundError`, for an object that is not there.
    """

    def __init__(self, *, addressing_style: str = "auto", **settings: Any) -> None:
        config = Config(
            connect_timeout=5,
            read_timeout=30,
            retries={"mode": "standard", "max_attempts": 3},
            s3={"addressing_style": addressing_style},
            # Many stores do not know the checksums that AWS added later.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        )
        fixed = {
            "client_config": config,
            "transfer_config": TransferConfig(use_threads=False),
            "file_overwrite": True,
            "default_acl": None,
            "querystring_auth": True,
            "custom_domain": None,
        }
        super().__init__(**settings, **fixed)
        self._session: Session | None = None

    @property
    def connection(self) -> Any:
        """The connection of this thread.

        All are of one session, which reads the description of S3 once: that takes 180 ms of a
        core, a connection more 6 ms, and images are written by threads that come and go.
        """
        if getattr(self._connections, "connection", None) is None:
            with _connecting:
                return super().connection
        return self._connections.connection

    def _create_session(self) -> Session:
        if self._session is None:
            self._session = super()._create_session()
        return self._session

    def __getstate__(self) -> dict[str, Any]:
        return super().__getstate__() | {"_session": None}

    def _open(self, name: str, mode: str = "rb") -> File:
        """Return an object in memory: images are small, and a request costs more than they do."""
        if mode != "rb":
            raise ValueError(f"objects are opened for reading only (rb), not {mode!r}; use save().")
        with self._clear_errors(name):
            client = self.connection.meta.client
            answer = client.get_object(Bucket=self.bucket_name, Key=self._normalize_name(name))
            return File(io.BytesIO(answer["Body"].read()), name)

    def pieces(self, name: str, start: int = 0, length: int | None = None) -> Iterator[bytes]:
        """Return an object, or so many of its bytes from `start`, piece by piece.

        Raises `FileNotFoundError` at once.
        """
        asked = {"Bucket": self.bucket_name, "Key": self._normalize_name(name)}
        if start or length is not None:
            last = "" if length is None else start + length - 1
            asked["Range"] = f"bytes={start}-{last}"
        with self._clear_errors(name):
            answer = self.connection.meta.client.get_object(**asked)
        pieces: Iterator[bytes] = answer["Body"].iter_chunks(1 << 16)
        return pieces

    def _save(self, name: str, content: File) -> str:
        with self._clear_errors(name):
            return str(super()._save(name, content))

    def exists(self, name: str) -> bool:
        with self._clear_errors(name):
            return bool(super().exists(name))

    def delete(self, name: str) -> None:
        with self._clear_errors(name):
            super().delete(name)

    def size(self, name: str) -> int:
        with self._clear_errors(name):
            return int(super().size(name))

    @contextmanager
    def _clear_errors(self, name: str) -> Iterator[None]:
        try:
            yield
        except ClientError as error:
            code = str(error.response.get("Error", {}).get("Code", "unknown"))
            if code in _MISSING:
                said = f"{self._place()} has no such object"
                raise MissingObjectError(errno.ENOENT, said, name) from error
            raise ObjectStorageError(f"{self._place()} {_what_to_do(code)}") from error
        except NoCredentialsError as error:
            raise ObjectStorageError(
                f"{self._place()} needs credentials and none were found; set AWS_ACCESS_KEY_ID "
                "and AWS_SECRET_ACCESS_KEY."
            ) from error
        except (NoConnectionError, HTTPClientError) as error:
            raise ObjectStorageError(
                f"{self._place()} cannot be reached ({error}); check that the store runs, and "
                "endpoint_url and region in OBJECT_STORAGE_URL."
            ) from error
        except (BotoCoreError, Boto3Error) as error:
            raise ObjectStorageError(
                f"{self._place()} cannot be used ({error}); check OBJECT_STORAGE_URL and the AWS_* "
                "variables."
            ) from error

    def _place(self) -> str:
        where = f" at {self.endpoint_url}" if self.endpoint_url else ""
        return f"object storage s3://{self.bucket_name}{where}"


def _what_to_do(code: str) -> str:
    """Return the rest of the sentence for an error code of the store."""
    if code == "NoSuchBucket":
        return "has no such bucket; create it, or correct OBJECT_STORAGE_URL."
    if code in _BAD_KEYS:
        return f"refuses the credentials ({code}); check AWS_ACCESS_KEY_ID and the secret key."
    if code in _NO_ACCESS:
        return (
            f"refuses access ({code}); allow the key to get, put and delete objects, and to list "
            "the bucket."
        )
    return f"answered with an error ({code}); see the store's log, then try again."
