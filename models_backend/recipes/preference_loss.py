"""What is minimised on a pair of images, from errors of the model and of its parent."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F


def preference_losses(
    winner: Tensor, loser: Tensor, parent_winner: Tensor, parent_loser: Tensor, *,
    beta: float, kind: str,
) -> Tensor:  # fmt: skip
    """Return each pair's loss (B,), of mean squared errors (B,) at the same noise and time.

    `sigmoid` is Diffusion-DPO (Wallace et al. 2023, equation 14, as its authors' code scales it):
    -log sigmoid(-beta / 2 * ((winner - parent_winner) - (loser - parent_loser))), for each pair
    by itself. `ipo` is the squared distance of the same inside, without beta and one half, from
    1 / (2 beta) (Azar et al. 2023, equation 17). `winners` is the winner's error.
    """
    gain = (loser - parent_loser) - (winner - parent_winner)
    if kind == "winners":
        return winner
    if kind == "ipo":
        return (gain - 1 / (2 * beta)).square()
    return -F.logsigmoid(beta / 2 * gain)
