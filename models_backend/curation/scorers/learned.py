"""Whether an image fits its caption and whether it would be liked, by heads learnt at this site.

The columns are named for what they are: `retrieval_head/cosine`, `appeal_head/score`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch.nn import functional as F

from models_backend.curation.heads import load_head, sentences
from models_backend.curation.scorers.base import Row, ScorerIdentity, ScorerInput
from models_backend.errors import InputError


class RetrievalScorer:
    """The cosine between an image's place in the space of sentences and its caption's."""

    measures = {"cosine": "float64"}
    reads_fields = True

    def __init__(self, folder: Path) -> None:
        self._head, sha256 = load_head(folder, "text_image")
        self.identity = ScorerIdentity("retrieval_head", "1", sha256)

    @torch.no_grad()
    def score(self, samples: Sequence[ScorerInput]) -> list[Row]:
        """Return -1 to 1 for each image; None where it has no caption."""
        guessed = F.normalize(self._head([sample.image for sample in samples]), dim=1)
        fit = (guessed * sentences([sample.caption for sample in samples])).sum(dim=1)
        return [{"cosine": float(value) if sample.caption else None}
                for sample, value in zip(samples, fit, strict=True)]  # fmt: skip


class AppealScorer:
    """What the field would be that the head learnt, such as a mean grade."""

    measures = {"score": "float64"}
    reads_fields = False

    def __init__(self, folder: Path) -> None:
        self._head, sha256 = load_head(folder, "appeal")
        self.identity = ScorerIdentity("appeal_head", "1", sha256)

    @torch.no_grad()
    def score(self, samples: Sequence[ScorerInput]) -> list[Row]:
        """Return one number for each image, on the scale of what was learnt."""
        return [{"score": float(v)} for v in self._head([s.image for s in samples])[:, 0]]


def text_image(option: str) -> RetrievalScorer:
    """Load the scorer `text_image` from the folder of a head."""
    return RetrievalScorer(_folder("text_image", option))


def appeal(option: str) -> AppealScorer:
    """Load the scorer `appeal` from the folder of a head."""
    return AppealScorer(_folder("appeal", option))


def _folder(name: str, option: str) -> Path:
    if not option or not Path(option).is_dir():
        raise InputError(
            f"the scorer {name!r} needs the folder of a head that was learned (docs/curation.md); "
            f"name one as its option, a path on every worker; given was {option or 'nothing'}",
            by_command=f"`--with {name}=FOLDER` names it; `python -m models_backend.curation learn "
            f"{name} --data DATA --out FOLDER` learns one.",
        )
    return Path(option)
