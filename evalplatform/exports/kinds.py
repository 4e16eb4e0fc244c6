"""What an export may be: whom it is for, what a row of it is, and how its files are written."""

from dataclasses import dataclass
from enum import StrEnum


class Grain(StrEnum):
    """What one row is."""

    VOTE = "vote"  # a vote as it was cast
    PAIR = "pair"  # two images that one vote compares
    CONSENSUS = "consensus"  # two images, all votes on them counted
    NONE = "none"  # no rows: a document


class Container(StrEnum):
    """The files that rows are written to."""

    CSV = "csv"
    JSONL = "jsonl"
    JSON = "json"  # one list a file
    PARQUET = "parquet"


class Images(StrEnum):
    """How an export holds images."""

    EMBED = "embed"  # their bytes, in the rows
    PATH = "path"  # files beside the rows, which name them
    NONE = "none"  # their hashes alone


@dataclass(frozen=True)
class Format:
    """One format.

    Attributes:
        name: as `--as` takes it.
        says: what it is for, in one line.
        grains: what a row may be, the usual one first.
        images: how images may be held, the usual way first.
        drops_ties: whether a reader of this format would train on ties as if they were won.
        image_format: in which format images are embedded unless another is asked for.
    """

    name: str
    label: str
    says: str
    container: Container | None
    grains: tuple[Grain, ...]
    images: tuple[Images, ...]
    drops_ties: bool = False
    image_format: str = "png"

    @property
    def is_document(self) -> bool:
        return self.grains == (Grain.NONE,)

    @property
    def is_raw(self) -> bool:
        """Whether it holds votes as they were cast, so that results can be recomputed from it."""
        return self.grains[0] is Grain.VOTE


_RAW = (Grain.VOTE, Grain.PAIR, Grain.CONSENSUS)
_EITHER = (Grain.CONSENSUS, Grain.PAIR)
_BY_PATH = (Images.NONE, Images.PATH)
_EMBEDDED = (Images.EMBED, Images.NONE)
_KINDS = (
    Format("parquet", "Parquet", "Every vote with all its columns, typed, for analysis at any size",
           Container.PARQUET, _RAW, (Images.NONE, Images.PATH, Images.EMBED)),
    Format("csv", "CSV", "Every vote for spreadsheets, R and pandas",
           Container.CSV, _RAW, _BY_PATH),
    Format("jsonl", "JSON Lines", "Every vote, one JSON object a line, for programs",
           Container.JSONL, _RAW, _BY_PATH),
    Format("pickapic", "Pick-a-Pic v2", "Training Diffusion-DPO, PickScore and their successors",
           Container.PARQUET, (Grain.PAIR, Grain.CONSENSUS), _EMBEDDED, image_format="jpg"),
    Format("hpdv2", "HPDv2", "Rows left, right and preference, for HPS-style readers",
           Container.JSONL, (Grain.PAIR,), (Images.PATH, Images.NONE)),
    Format("hpdv3", "HPDv3", "JSON lists of preferred and rejected paths, for HPSv3 and LightRFT",
           Container.JSON, _EITHER, (Images.PATH, Images.NONE), drops_ties=True),
    Format("open-image-preferences", "open-image-preferences",
           "Chosen and rejected images, for fine-tuning scripts of the Hugging Face hub",
           Container.PARQUET, _EITHER, _EMBEDDED),
    Format("trl", "TRL", "Prompt, chosen and rejected, for TRL's preference trainers",
           Container.PARQUET, _EITHER, _EMBEDDED, drops_ties=True),
    Format("trl-unpaired", "TRL unpaired", "Prompt, completion and label, for KTO-style trainers",
           Container.PARQUET, _EITHER, _EMBEDDED, drops_ties=True),
    Format("rapidata", "Rapidata", "Two images with the share of votes of each",
           Container.PARQUET, (Grain.CONSENSUS,), _EMBEDDED),
    Format("arena", "Arena", "model_a, model_b, winner, for Bradley-Terry and Elo tools",
           Container.CSV, (Grain.PAIR, Grain.CONSENSUS), (Images.NONE,)),
    Format("paper", "Paper pack",
           "LaTeX tables, methods paragraph, figures, filled checklist and BibTeX",
           None, (Grain.NONE,), (Images.NONE,)),
    Format("html", "HTML report", "The dashboard as one file that opens offline",
           None, (Grain.NONE,), (Images.NONE,)),
)  # fmt: skip
KINDS = {each.name: each for each in _KINDS}
