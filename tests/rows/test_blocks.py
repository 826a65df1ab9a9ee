import itertools

from hypothesis import given
from hypothesis import strategies as st

from distilcli.rows.blocks import Grid, LineBlocks


@given(st.integers(1, 10**13))
def test_a_file_has_several_blocks_and_none_is_larger_than_a_mebibyte(size):
    grid = Grid([size])

    assert grid.size <= 1 << 20
    assert size < 4096 or size // grid.size >= 4
    assert grid.size & (grid.size - 1) == 0


@given(st.lists(st.integers(0, 10**7), min_size=1, max_size=50))
def test_blocks_of_several_files_do_not_get_small(sizes):
    grid = Grid(sizes)
    starts = [index for index in range(1, len(sizes)) if grid.begins(index)]

    for one, two in itertools.pairwise(starts):
        # A block can be short where the next one begins with a file, but no two in a row.
        assert sum(sizes[one:two]) > 0
    assert len(starts) <= grid.total / grid.size + 1


@given(st.lists(st.integers(0, 100), min_size=1, max_size=20), st.data())
def test_every_byte_is_in_its_file(sizes, data):
    grid = Grid(sizes)
    if not grid.total:
        return
    position = data.draw(st.integers(0, grid.total - 1))

    index, offset = grid.locate(position)

    assert 0 <= offset < sizes[index]
    assert grid.start(index) + offset == position


def test_small_files_are_not_cut_by_rows():
    grid = Grid([10_000, 500])

    assert grid.rows(0, 1000) == 128
    assert grid.rows(1, 1000) > 10**12


def test_a_row_is_in_the_block_of_its_first_line():
    blocks = LineBlocks(100)
    for number, offset in enumerate(range(0, 1000, 40), start=1):
        if offset >= blocks.next_offset:
            blocks.note(offset, number)

    assert [blocks.of(line) for line in (1, 3, 4, 6, 20)] == [0, 0, 1, 2, 7]
    blocks.go_to(400)
    assert blocks.of(11) == 4
