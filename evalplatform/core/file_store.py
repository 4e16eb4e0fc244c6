"""Objects as files, each written whole or not at all."""

from pathlib import Path

from django.core.files import File
from django.core.files.storage import FileSystemStorage

from evalplatform.core.files import write_whole


class FileStore(FileSystemStorage):
    """Django's file system storage for objects whose name says their content.

    A worker killed while it writes leaves no half image under a good name, and a second worker
    that saves the same object gets the same name.
    """

    def get_available_name(self, name: str, max_length: int | None = None) -> str:
        return name

    def _save(self, name: str, content: File) -> str:
        write_whole(Path(self.path(name)), content.read())
        return name
