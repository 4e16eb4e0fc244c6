"""Which of its captions a picture is trained with."""

from dataclasses import dataclass


@dataclass(frozen=True)
class CaptionMix:
    """Shares of the three kinds of caption; they must sum to one."""

    plain: float = 0.45
    """The concept alone, in one of `data.captions.PLAIN_TEMPLATES`."""
    keywords: float = 0.2
    """The concept followed by a few keywords."""
    styled: float = 0.35
    """The concept with a style phrase of its source."""

    def __post_init__(self) -> None:
        """Refuse negative shares and shares that do not sum to one."""
        shares = (self.plain, self.keywords, self.styled)
        if min(shares) < 0 or abs(sum(shares) - 1) > 1e-6:
            raise ValueError(f"caption shares {shares} must be >= 0 and sum to 1")
