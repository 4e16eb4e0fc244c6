"""How people agree and tie, as a yardstick for simulated annotators.

Source: GenAI-Bench (Li et al. 2024, arXiv 2406.13743): 527 prompts, six text-to-image models, three
ratings from 1 to 5 of how well an image matches its prompt. Two ratings of one rater make a vote
(the higher wins, equal ones tie), for each of the 15 pairs of models. Alpha is Krippendorff's
nominal one, of each two raters. Ratings of one image at a time tie more than a choice between two
images side by side would; who a rater is, the source does not tell. A test computes both ranges
from the ratings.
"""

TIES = (0.25, 0.54)
"""Least and largest share of ties of a rater on a pair of models."""
ALPHA = (0.27, 0.77)
"""Least and largest nominal alpha of two raters on a pair of models."""
