"""Images of a pool at random, the control that people's picks have to beat."""

import pytest

from models_backend.curation.drawing_at_random import draw
from models_backend.data.manifest import read_records
from models_backend.errors import InputError
from tests.models_backend.curation.test_pool import entry, write


@pytest.fixture
def pool(tmp_path):
    """Twelve images, one of them without a caption."""
    entries = [entry(str(number).encode(), caption=f"cat {number}") for number in range(11)]
    write(tmp_path / "pool", [*entries, entry(b"11", caption="")])
    return tmp_path / "pool"


def hashes(records):
    return [record.sha256 for record in records]


def test_a_draw_is_a_data_set_with_the_images_own_captions(pool, tmp_path):
    drawn = draw(pool, 5, tmp_path / "drawn", seed=3)
    read = read_records(tmp_path / "drawn")
    assert hashes(read) == hashes(drawn)
    assert len(set(hashes(read))) == 5
    for record in read:
        number = (tmp_path / "drawn" / record.file).read_bytes().decode()
        assert record.caption == f"cat {number}"
        assert (record.licence, record.category) == ("CC0-1.0", "Animals")


def test_a_smaller_draw_is_part_of_a_larger_one_and_another_seed_draws_others(pool, tmp_path):
    small = hashes(draw(pool, 3, tmp_path / "small"))
    large = hashes(draw(pool, 8, tmp_path / "large"))
    assert large[:3] == small
    assert hashes(draw(pool, 8, tmp_path / "other", seed=1)) != large


def test_more_than_there_are_captions_or_a_folder_that_is_there_is_refused(pool, tmp_path):
    for count in (0, 12):
        with pytest.raises(InputError, match="11 images with a caption"):
            draw(pool, count, tmp_path / "drawn")
    assert not (tmp_path / "drawn").exists()
    (tmp_path / "drawn").mkdir()
    with pytest.raises(InputError, match="there already"):
        draw(pool, 3, tmp_path / "drawn")


def test_damaged_image_leaves_nothing(pool, tmp_path):
    for file in (pool / "images").rglob("*.png"):
        file.write_bytes(b"damaged")
    with pytest.raises(InputError, match="differs from its hash"):
        draw(pool, 3, tmp_path / "drawn")
    assert [each.name for each in tmp_path.iterdir()] == ["pool"]
