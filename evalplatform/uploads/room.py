"""Room for uploads: what all that are unfinished may still come to, not each for itself."""

import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from django.conf import settings

from evalplatform.accounts.models import Project
from evalplatform.core.errors import BadInputError
from evalplatform.core.locks import take_turn

# Archive and what is unpacked of it.
_TIMES = 2


@dataclass(frozen=True)
class Promise:
    """Uploads of a project that were let in and are not done: their bytes."""

    project_id: int
    size_bytes: int
    received_bytes: int


_promised: list[Callable[[], Iterable[Promise]]] = []


def promises(unfinished: Callable[[], Iterable[Promise]]) -> Callable[[], Iterable[Promise]]:
    """Decorator: count what this returns among the unfinished uploads."""
    _promised.append(unfinished)
    return unfinished


def refuse_without_room(*, project: Project, size_bytes: int) -> None:
    """Refuse an upload that the project's quota or the disk does not hold beside what is promised.

    Within the transaction that stores the upload. Raises `BadInputError`.
    """
    take_turn("room for uploads")  # two that begin at once are answered one by one
    unfinished = [each for promised in _promised for each in promised()]
    _refuse_over_quota(project, size_bytes, unfinished)
    free = shutil.disk_usage(settings.CHECKPOINT_DIR).free - _still_to_come(unfinished)
    if free < _TIMES * size_bytes:
        raise BadInputError(
            f"the server has {max(0, free):,} bytes left beside what unfinished uploads will take; "
            f"this one needs about twice its {size_bytes:,}. Ask the operator to make room."
        )


def _refuse_over_quota(project: Project, size_bytes: int, unfinished: Iterable[Promise]) -> None:
    quota = project.upload_quota_bytes
    if quota is None:
        quota = settings.PROJECT_UPLOAD_BYTES
    promised = sum(each.size_bytes for each in unfinished if each.project_id == project.pk)
    if promised + size_bytes > quota:
        raise BadInputError(
            f"the unfinished uploads of {project} come to {promised:,} bytes, and with these "
            f"{size_bytes:,} to more than its {quota:,}; finish or cancel some first, throw away "
            "logs and failed imports, or ask an operator for a larger quota.",
            by_command="`manage.py project quota` gives it.",
        )


def _still_to_come(unfinished: Iterable[Promise]) -> int:
    return sum(_TIMES * each.size_bytes - each.received_bytes for each in unfinished)
