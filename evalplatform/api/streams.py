"""What may be long as JSON lines: votes, of the same statement as votes.csv, and safety scores."""

import csv
import json
from collections.abc import Iterable, Iterator

from django.http import StreamingHttpResponse

from evalplatform.campaigns.models import Campaign
from evalplatform.campaigns.safety_scores import scored_images
from evalplatform.reports.votes_csv import NUMBERS, votes_csv

NDJSON = "application/x-ndjson"


def votes_as_lines(campaign: Campaign) -> StreamingHttpResponse:
    """Return every stored vote of a campaign, one JSON object a line."""
    return StreamingHttpResponse(_lines(votes_csv(campaign)), content_type=NDJSON)


def safety_scores_as_lines(campaign: Campaign) -> StreamingHttpResponse:
    """Return the safety score of every image of a campaign, one JSON object a line."""
    rows = scored_images(campaign)
    lines = (json.dumps(vars(each), ensure_ascii=False).encode() + b"\n" for each in rows)
    return StreamingHttpResponse(lines, content_type=NDJSON)


def _lines(pieces: Iterable[bytes]) -> Iterator[bytes]:
    for row in csv.DictReader(_text(pieces)):
        told = {
            name: (_number(value) if name in NUMBERS else value) if value != "" else None
            for name, value in row.items()
        }
        yield json.dumps(told, ensure_ascii=False).encode() + b"\n"


def _number(text: str) -> float | int:
    try:
        return int(text)
    except ValueError:
        return float(text)


def _text(pieces: Iterable[bytes]) -> Iterator[str]:
    """Yield lines with their ends, as the csv module wants them; a piece ends anywhere."""
    rest = b""
    for piece in pieces:
        *whole, rest = (rest + piece).split(b"\n")
        for line in whole:
            yield line.decode() + "\n"
    if rest:
        yield rest.decode()
