"""Files that somebody is sending, or has sent, for something that takes them up."""

import uuid
from datetime import UTC, datetime
from pathlib import Path

from django.conf import settings
from django.db import models

from evalplatform.accounts.models import InProject, User


class SentFile(InProject):
    """A file that arrives in parts. The row goes once something has taken the file up."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    file_name = models.CharField(max_length=400, help_text="A relative path, as it was sent.")
    size_bytes = models.PositiveBigIntegerField()
    arrived_bytes = models.PositiveBigIntegerField(
        default=0, help_text="At the last part's end; the file itself is what counts."
    )
    created_by = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["created_at", "pk"]

    def __str__(self) -> str:
        return self.file_name

    @property
    def path(self) -> Path:
        """What has arrived. The person's own file name never becomes one here."""
        return Path(settings.CHECKPOINT_DIR) / "sent" / str(self.pk)

    @property
    def received_bytes(self) -> int:
        return self.path.stat().st_size if self.path.exists() else 0

    @property
    def is_whole(self) -> bool:
        return self.path.exists() and self.received_bytes == self.size_bytes

    @property
    def last_received_at(self) -> datetime | None:
        """When the last byte arrived; None when the file is gone."""
        try:
            return datetime.fromtimestamp(self.path.stat().st_mtime, UTC)
        except FileNotFoundError:
            return None
