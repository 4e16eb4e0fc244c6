"""Figures as people say them."""

import pytest

from evalplatform.core.words import counted


@pytest.mark.parametrize(
    ("count", "words", "said"),
    [
        (0, ("prompt",), "0 prompts"),
        (1, ("prompt",), "1 prompt"),
        (1200, ("prompt",), "1,200 prompts"),
        (1, ("batch", "batches"), "1 batch"),
        (2, ("batch", "batches"), "2 batches"),
    ],
)
def test_one_of_anything_is_named_in_the_singular(count, words, said):
    assert counted(count, *words) == said
