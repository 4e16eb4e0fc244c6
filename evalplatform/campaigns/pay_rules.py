"""What people are paid for their answers, so that it is frozen with what they were asked."""

from typing import Annotated

from pydantic import Field, model_validator

from evalplatform.campaigns.rule_section import RuleSection

_Amount = Annotated[float, Field(gt=0, le=1_000_000, allow_inf_nan=False)]


class PayRules(RuleSection):
    """Pay by the answer, or the hourly wage that it is to come to. Off until one is given.

    Every stored answer is paid, checks among them: nobody can tell them from the others.
    """

    per_vote: _Amount | None = Field(
        default=None, description="paid for one answer; from wage and seconds if left out"
    )
    wage_per_hour: _Amount | None = Field(default=None, description="the wage aimed at")
    seconds_per_vote: Annotated[float, Field(gt=0, le=3600)] | None = Field(
        default=None, description="how long one answer is expected to take"
    )
    currency: str = Field(
        default="USD", pattern=r"^[A-Z]{3}$", description="three capitals, as ISO 4217"
    )
    fee_percent: Annotated[float, Field(ge=0, le=500)] = Field(
        default=0.0, description="what a panel takes on top of the pay"
    )

    @model_validator(mode="after")
    def _consistent(self) -> "PayRules":
        if self.model_fields_set and self.per_vote is None and self.wage_per_hour is None:
            raise ValueError("pay needs per_vote or wage_per_hour")
        return self

    @property
    def is_set(self) -> bool:
        """Whether anything is said of pay."""
        return self.per_vote is not None or self.wage_per_hour is not None

    def unit(self, seconds: float | None = None) -> float | None:
        """Return the pay for one answer; None while it is not known.

        `seconds` is what an answer takes where the rules do not say.
        """
        if self.per_vote is not None:
            return self.per_vote
        expected = self.seconds_per_vote or seconds
        if self.wage_per_hour is None or expected is None:
            return None
        return self.wage_per_hour * expected / 3600
