"""What components of pages are told, as plain values: no app's models are known here."""

from evalplatform.core.components.cards import (
    AnswerCard,
    Dots,
    PairShown,
    PictureShown,
    StepShown,
)
from evalplatform.core.components.figures import BarPart, ForestRow, outcome_parts
from evalplatform.core.components.tables import DataTable, Line, TableColumn

__all__ = [
    "AnswerCard",
    "BarPart",
    "DataTable",
    "Dots",
    "ForestRow",
    "Line",
    "PairShown",
    "PictureShown",
    "StepShown",
    "TableColumn",
    "outcome_parts",
]
