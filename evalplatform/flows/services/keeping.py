"""Keeping the images that a trainer sends."""

import hashlib
import re
from datetime import datetime, timedelta

from django.conf import settings
from django.core.files.storage import default_storage
from django.db import transaction
from django.db.models import Sum
from PIL import Image

from evalplatform.accounts.models import Project
from evalplatform.core.errors import BadInputError, ConflictError
from evalplatform.core.locks import take_turn
from evalplatform.core.stored_images import pack_image, put_image
from evalplatform.flows.models import Flow, FlowImage
from evalplatform.images.decoding import decode
from evalplatform.images.faults import RowError

MOST_IMAGE_BYTES = 32 * 2**20
MOST_IMAGE_PIXELS = 4096 * 4096
FORMATS = ("PNG", "JPEG", "WEBP")
_UNASKED_KEPT = timedelta(days=2)
_SIGNATURES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff")
_HEX = re.compile(r"[0-9a-f]{64}")


def keep_image(*, flow: Flow, sha256: str, content: bytes, now: datetime) -> tuple[FlowImage, bool]:
    """Store an image under the hash of its file; return it, and whether it is new.

    Sent again it is stored once, and kept as long from then on. Raises `BadInputError` for a hash
    that is not the content's, what is no PNG, JPEG or WebP, is damaged or too large, or goes beyond
    the quota; `ConflictError` where the flow is closed.
    """
    refuse_closed(flow)
    _check_hash(sha256, content)
    known = FlowImage.objects.filter(flow=flow, sha256=sha256)
    known.filter(is_asked=False).update(sent_at=now)
    if (found := known.first()) is not None:  # one that is being removed is gone, or stays
        return found, False
    stored, packed = pack_image(_decoded(content), folder=f"flows/{flow.slug}")
    with transaction.atomic():
        take_turn(f"images of flows of project {flow.project_id}")
        _refuse_over_quota(flow.project, len(content))
        # Stored after that alone: what is refused must not fill the disk.
        put_image(stored.name, packed)
        return FlowImage.objects.get_or_create(
            flow=flow,
            sha256=sha256,
            defaults={
                "size_bytes": len(content),
                "image": stored.name,
                "image_sha256": stored.sha256,
                "pixels_sha256": stored.pixels_sha256,
                "is_constant": stored.is_constant,
                "width": stored.width,
                "height": stored.height,
                "sent_at": now,
            },
        )


def forget_unasked(*, now: datetime) -> int:
    """Remove images that no batch asked about for two days; return how many."""
    old = FlowImage.objects.filter(is_asked=False, sent_at__lt=now - _UNASKED_KEPT)
    gone = 0
    for image in old[:500]:
        with transaction.atomic():
            # Who asks about it, or sends it again, this moment comes first, or does not find it.
            if not old.filter(pk=image.pk).delete()[0]:
                continue
        gone += 1
        if not FlowImage.objects.filter(image=image.image).exists():  # other files, equal pixels
            default_storage.delete(image.image)
    return gone


def refuse_closed(flow: Flow) -> None:
    """Raise `ConflictError` where a flow takes nothing any more."""
    if flow.status == Flow.Status.CLOSED:
        raise ConflictError(
            f"the flow {flow.slug!r} was closed on {flow.closed_at:%Y-%m-%d}; make another one."
        )


def _check_hash(sha256: str, content: bytes) -> None:
    if not _HEX.fullmatch(sha256):
        raise BadInputError(
            f"{sha256[:70]!r} is no SHA-256; give 64 lower-case hexadecimal digits of the file."
        )
    if len(content) > MOST_IMAGE_BYTES:
        raise BadInputError(
            f"the image is over {MOST_IMAGE_BYTES // 2**20} MiB; scale it down or send it as JPEG."
        )
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise BadInputError(
            f"the bytes have the SHA-256 {found}, and the address says {sha256}; nothing was "
            "stored: send the file whole, as it was hashed."
        )


def _decoded(content: bytes) -> Image.Image:
    is_webp = content[:4] == b"RIFF" and content[8:12] == b"WEBP"
    if not (content.startswith(_SIGNATURES) or is_webp):
        raise BadInputError(f"the image is none of {', '.join(FORMATS)}; send it as one of them.")
    try:
        image = decode(content)
    except RowError as error:
        raise BadInputError(f"the image: {error}.") from error
    if image.width * image.height > MOST_IMAGE_PIXELS:
        raise BadInputError(
            f"the image is {image.width} x {image.height}, over {MOST_IMAGE_PIXELS:,} pixels; "
            "scale it down."
        )
    return image


def _refuse_over_quota(project: Project, size: int) -> None:
    """Refuse what would take a project's images of flows beyond its quota, asked about or not.

    What a batch asks about is kept for good, so that it counts for good.
    """
    quota = project.upload_quota_bytes
    if quota is None:
        quota = settings.PROJECT_UPLOAD_BYTES
    kept = FlowImage.objects.filter(flow__project=project)
    held = kept.aggregate(total=Sum("size_bytes"))["total"] or 0
    if held + size > quota:
        raise BadInputError(
            f"images of flows of {project} come to {held:,} bytes, and with these {size:,} to more "
            f"than its {quota:,}; send smaller files (JPEG, WebP), or ask an operator for a "
            "larger quota.",
            by_command="`manage.py project quota` gives it.",
        )
