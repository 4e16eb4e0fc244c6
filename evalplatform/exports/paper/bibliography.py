"""references.bib: the works that methods and checklist name, and the campaign itself."""

from __future__ import annotations

from evalplatform.exports.paper.latex import latex
from evalplatform.exports.told import Told

_WORKS = r"""@inproceedings{otani2023toward,
  title = {Toward Verifiable and Reproducible Human Evaluation for Text-to-Image Generation},
  author = {Otani, Mayu and Togashi, Riku and Sawai, Yu and Ishigami, Ryosuke and Nakashima, Yuta
            and Rahtu, Esa and Heikkil{\"a}, Janne and Satoh, Shin'ichi},
  booktitle = {IEEE/CVF Conference on Computer Vision and Pattern Recognition (CVPR)},
  year = {2023}
}
@book{krippendorff2018content,
  title = {Content Analysis: An Introduction to Its Methodology},
  author = {Krippendorff, Klaus},
  edition = {4},
  publisher = {SAGE},
  year = {2018}
}
@article{holm1979simple,
  title = {A Simple Sequentially Rejective Multiple Test Procedure},
  author = {Holm, Sture},
  journal = {Scandinavian Journal of Statistics},
  volume = {6},
  number = {2},
  pages = {65--70},
  year = {1979}
}
@article{bradley1952rank,
  title = {Rank Analysis of Incomplete Block Designs: {I}. The Method of Paired Comparisons},
  author = {Bradley, Ralph Allan and Terry, Milton E.},
  journal = {Biometrika},
  volume = {39},
  number = {3/4},
  pages = {324--345},
  year = {1952}
}
@article{davidson1970extending,
  title = {On Extending the {Bradley--Terry} Model to Accommodate Ties in Paired Comparison
           Experiments},
  author = {Davidson, Roger R.},
  journal = {Journal of the American Statistical Association},
  volume = {65},
  number = {329},
  pages = {317--328},
  year = {1970}
}
"""


def bibliography(told: Told) -> str:
    """Return the BibTeX entries."""
    campaign = told.campaign
    return _WORKS + "\n".join([
        "@misc{campaign,",
        f"  title = {{Human preferences: {latex(campaign.slug)}}},",
        f"  author = {{{{{latex(campaign.project.name)}}}}},",
        f"  year = {{{told.state.made_at[:4]}}},",
        rf"  note = {{Frozen protocol, SHA-256 \texttt{{{campaign.protocol_sha256}}}}}",
        "}", "",
    ])  # fmt: skip
