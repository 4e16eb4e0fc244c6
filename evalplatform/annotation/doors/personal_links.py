"""The personal link by which somebody goes on with their work in another browser.

It is good for one campaign, and holds as long as the annotator's access key does.
"""

import re

from django.urls import reverse
from django.utils.crypto import constant_time_compare, salted_hmac

from evalplatform.annotation.models import Enrolment

_KEY = re.compile(r"([1-9]\d{0,17})-([0-9a-f]{40})")


def personal_path(enrolment: Enrolment) -> str:
    """Return the path of an annotator's personal link; annotator and campaign are read along."""
    work = reverse("annotation:work", args=[enrolment.campaign.invitation])
    return f"{work}?key={_key(enrolment)}"


def enrolment_by_key(key: str) -> Enrolment | None:
    """Return whose personal link holds this key, with annotator and campaign."""
    parts = _KEY.fullmatch(key)
    if parts is None:
        return None
    found = Enrolment.objects.filter(pk=int(parts[1]))
    enrolment = found.select_related("annotator", "campaign").first()
    if enrolment is None or not constant_time_compare(key, _key(enrolment)):
        return None
    return enrolment


def _key(enrolment: Enrolment) -> str:
    said = f"{enrolment.pk} {enrolment.annotator.access_key}"
    proof = salted_hmac("annotation.continuing", said, algorithm="sha256").hexdigest()
    return f"{enrolment.pk}-{proof[:40]}"
