"""votes.csv: a row a vote. The database writes it and it is passed on as it comes.

Half a million votes are 200 MB of text; made here they would be a gigabyte of Python objects.
"""

from collections.abc import Iterator

from django.db import connection

from evalplatform.campaigns.models import Campaign
from evalplatform.core.csv_text import FORMULA_STARTS, csv_header

_BLOCK = 1 << 16  # bytes passed on at a time; whole rows
VOTE_COLUMNS = [
    "campaign", "vote_id", "criterion", "form", "item", "image_set", "prompt_set",
    "prompt_set_version", "prompt_position", "prompt_text", "category", "challenge", "tags", "slot",
    "annotator", "answer", "marks", "order", "grades", "arms", "arm_names", "outcome",
    "response_time_ms", "too_fast", "is_simulated", "simulated_as", "voted_at", "counts",
    "excluded_by", "viewport_width", "viewport_height", "pixel_ratio", "zoomed", "shown_px",
    "language", "seed", "image_sha256", "prompt_tokens", "tokens_read", "protocol_sha256",
]  # fmt: skip
"""`order`, and what comes of several images (grades to tokens_read), by a space between: `order`
says which place of the set stood at each position, the others go by place. Names have | between."""


def _known(column: str) -> str:
    return f"string_agg(coalesce(s.{column}::text, '?'), ' ' ORDER BY m.place)"


_SETS = f"""
SELECT m.image_set_id, array_agg(r.place ORDER BY m.place) AS places,
    string_agg(r.letter, ' ' ORDER BY m.place) AS letters,
    string_agg(r.name, '|' ORDER BY m.place) AS names,
    min(coalesce(s.seed, d.seed)) AS seed,
    string_agg(coalesce(s.image_sha256, d.image_sha256), ' ' ORDER BY m.place) AS sha256,
    {_known("prompt_tokens")} AS prompt_tokens, {_known("tokens_read")} AS tokens_read
FROM campaigns_imageset i JOIN campaigns_shownimage m ON m.image_set_id = i.id
    JOIN (SELECT a.id, a.place, (%(letters)s::text[])[a.place + 1] AS letter,
            (%(names)s::text[])[a.place + 1] AS name
        FROM campaigns_arm a WHERE a.campaign_id = %(campaign)s) r ON r.id = m.arm_id
    LEFT JOIN generation_sample s ON s.id = m.sample_id
    LEFT JOIN images_collectedimage d ON d.id = m.collected_id
WHERE i.campaign_id = %(campaign)s AND i.purpose = 'main' GROUP BY m.image_set_id
"""
_OUTCOME = """CASE WHEN cardinality(v.grades) = 2 THEN CASE sign(v.grades[1] - v.grades[2])
    WHEN 0 THEN 'TIE' WHEN 1 THEN split_part(t.letters, ' ', 1)
    ELSE split_part(t.letters, ' ', 2) END END"""
_CELLS = {
    "campaign": "%(slug)s",
    "vote_id": "v.id",
    "criterion": "c.slug",
    "form": "v.form",
    "item": "a.item_id",
    "image_set": "i.image_set_id",
    "prompt_set": "ps.name",
    "prompt_set_version": "ps.version",
    "prompt_position": "p.position",
    "prompt_text": "p.text",
    "category": "p.category",
    "challenge": "p.challenge",
    "tags": "array_to_string(p.tags, ',')",
    "slot": "a.slot",
    "annotator": "w.pseudonym",
    "answer": "v.answer",
    "marks": "array_to_string(v.marks, ',')",
    "order": "array_to_string(v.\"order\", ' ')",
    "grades": "array_to_string(v.grades, ' ')",
    "arms": "t.letters",
    "arm_names": "t.names",
    "outcome": _OUTCOME,
    "response_time_ms": "v.response_time_ms",
    "too_fast": "(v.response_time_ms < %(least)s)::int",
    "is_simulated": "v.is_simulated::int",
    "simulated_as": "w.simulated_behaviour ->> 'says'",
    "voted_at": "to_char(v.voted_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"+00:00\"')",
    "counts": "(v.exclusion_id IS NULL)::int",
    "excluded_by": "x.rule",
    "viewport_width": "v.viewport_width",
    "viewport_height": "v.viewport_height",
    "pixel_ratio": "v.pixel_ratio",
    "zoomed": "v.zoomed::int",
    "shown_px": "v.shown_px",
    "language": "v.language",
    "seed": "t.seed",
    "image_sha256": "t.sha256",
    "prompt_tokens": "t.prompt_tokens",
    "tokens_read": "t.tokens_read",
    "protocol_sha256": "%(protocol)s",
}
NUMBERS = {
    "vote_id", "item", "image_set", "prompt_set_version", "prompt_position", "slot",
    "response_time_ms", "too_fast", "is_simulated", "counts", "viewport_width", "viewport_height",
    "pixel_ratio", "zoomed", "shown_px", "seed",
}  # fmt: skip
_ROWS = """
FROM annotation_vote v
    JOIN annotation_assignment a ON a.id = v.assignment_id
    JOIN campaigns_item i ON i.id = a.item_id
    JOIN campaigns_criterion c ON c.id = i.criterion_id
    JOIN campaigns_imageset g ON g.id = i.image_set_id
    JOIN promptsets_prompt p ON p.id = g.prompt_id
    JOIN promptsets_promptset ps ON ps.id = p.prompt_set_id
    JOIN sets t ON t.image_set_id = i.image_set_id
    JOIN accounts_annotator w ON w.id = v.annotator_id
    LEFT JOIN annotation_exclusion x ON x.id = v.exclusion_id
WHERE a.campaign_id = %(campaign)s AND a.purpose = 'main' AND v.retracted_at IS NULL
ORDER BY v.id
"""


def _statement(for_excel: bool) -> str:
    """COPY that writes as `core.csv_text` does: texts in quotation marks, empty ones not."""
    texts = [name for name in VOTE_COLUMNS if name not in NUMBERS]
    cells = _CELLS | {name: _text(_CELLS[name], for_excel) for name in texts}
    listed = ", ".join(f'{cells[name]} AS "{name}"' for name in VOTE_COLUMNS)
    quoted = ", ".join(f'"{name}"' for name in texts)
    return (
        f"COPY (WITH sets AS ({_SETS}) SELECT {listed} {_ROWS}) "
        f"TO STDOUT (FORMAT csv, FORCE_QUOTE ({quoted}))"
    )


def _text(expression: str, for_excel: bool) -> str:
    text = f"nullif(({expression})::text, '')"
    if not for_excel:
        return text
    is_formula = f"strpos(%(formula_starts)s, left({text}, 1)) > 0"
    return f"CASE WHEN {is_formula} THEN '''' || {text} ELSE {text} END"


def votes_csv(campaign: Campaign, *, for_excel: bool = False) -> Iterator[bytes]:
    """Yield every stored vote on an item as CSV, in the order cast, a piece at a time.

    `counts` is 1 where a vote counts, else 0; `outcome` is the letter of the preferred arm of two,
    or TIE. Checks and votes taken back are left out. Memory stays flat however many there are.
    """
    given = {
        "campaign": campaign.pk,
        "slug": campaign.slug,
        "protocol": campaign.protocol_sha256,
        "letters": [arm.letter for arm in campaign.contenders],
        "names": [arm.name for arm in campaign.contenders],
        "formula_starts": FORMULA_STARTS,
        "least": campaign.checked_rules.quality.min_response_ms,
    }
    block = bytearray(csv_header(VOTE_COLUMNS, for_excel=for_excel).encode())
    statement = _statement(for_excel)
    with connection.cursor() as cursor, cursor.copy(statement, given) as copy:
        for row in copy:
            block += row
            if len(block) >= _BLOCK:
                yield bytes(block)
                block.clear()
    yield bytes(block)
