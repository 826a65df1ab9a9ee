import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distilcli.errors import UsageError
from distilcli.rows.shard import Shard, parse_shard


def slurm(index, count, first=0, last=None, step=1):
    last = first + count - 1 if last is None else last
    names = ("ID", "COUNT", "MIN", "MAX", "STEP")
    values = (index, count, first, last, step)
    return {
        f"SLURM_ARRAY_TASK_{name}": str(value) for name, value in zip(names, values, strict=True)
    }


@given(total=st.integers(0, 10**12), count=st.integers(1, 200))
def test_parts_cover_everything_in_order_and_are_of_equal_size(total, count):
    bounds = [Shard(index, count).bounds(total) for index in range(count)]

    assert bounds[0][0] == 0
    assert bounds[-1][1] == total
    assert all(one[1] == two[0] for one, two in itertools.pairwise(bounds))
    sizes = [stop - start for start, stop in bounds]
    assert max(sizes) - min(sizes) <= 1


def test_the_index_counts_from_zero():
    assert parse_shard("0/4") == Shard(0, 4)
    assert parse_shard("3/4") == Shard(3, 4)
    with pytest.raises(
        UsageError, match="`shard` 4/4 does not exist; with 4 shards it can be 0 to 3"
    ):
        parse_shard("4/4")


@pytest.mark.parametrize(
    "text", ["", "3", "1/", "a/b", "-1/4", "1/4/2", "auto/x", "1.5/2", "1/" + "9" * 5000]
)
def test_other_words_are_refused(text):
    with pytest.raises(UsageError, match="give 0/64, auto or auto/64"):
        parse_shard(text, {})


@pytest.mark.parametrize("text", ["0/0", "0/1000001"])
def test_the_number_of_shards_has_limits(text):
    with pytest.raises(UsageError, match="1 to 1,000,000 shards"):
        parse_shard(text, {})


@pytest.mark.parametrize("first", [0, 1])
def test_auto_reads_the_array_of_slurm_wherever_its_indices_begin(first):
    found = [parse_shard("auto", slurm(first + index, 3, first)) for index in range(3)]

    assert found == [Shard(0, 3), Shard(1, 3), Shard(2, 3)]


@pytest.mark.parametrize(
    "array",
    [slurm(3, 2, 3, 17), slurm(3, 1, 3), slurm(0, 2, 0, 5), slurm(2, 3, 0, 4, 2)],
    ids=["two again", "one again", "with gaps", "in steps"],
)
def test_auto_refuses_an_array_whose_count_may_not_be_that_of_the_shards(array):
    with pytest.raises(UsageError, match="auto/64"):
        parse_shard("auto", array)


def test_auto_with_a_count_takes_the_index_of_the_job_as_it_is():
    assert parse_shard("auto/64", slurm(17, 2, 3, 17)) == Shard(17, 64)
    assert parse_shard("auto/8", {"JOB_COMPLETION_INDEX": "5"}) == Shard(5, 8)
    assert parse_shard("auto/8", {"PMI_RANK": "5", "PMI_SIZE": "2"}) == Shard(5, 8)
    with pytest.raises(UsageError, match="SLURM_ARRAY_TASK_ID is 64; shard 64 does not exist"):
        parse_shard("auto/64", slurm(64, 64, 1))


def test_auto_reads_mpi():
    assert parse_shard("auto", {"PMI_RANK": "1", "PMI_SIZE": "2"}) == Shard(1, 2)


def test_kubernetes_does_not_say_how_many_there_are():
    with pytest.raises(UsageError, match="JOB_COMPLETION_INDEX does not say how many"):
        parse_shard("auto", {"JOB_COMPLETION_INDEX": "5"})


def test_auto_outside_of_an_array_names_what_it_looked_for():
    with pytest.raises(UsageError, match="SLURM_ARRAY_TASK_ID, JOB_COMPLETION_INDEX and PMI_RANK"):
        parse_shard("auto", {})


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"PMI_RANK": "1"}, "PMI_SIZE is not set"),
        ({"PMI_RANK": "", "PMI_SIZE": "2"}, "PMI_RANK is ''"),
        ({"PMI_RANK": "x", "PMI_SIZE": "2"}, "PMI_RANK is 'x', not an index or a count"),
        ({"PMI_RANK": "9" * 5000, "PMI_SIZE": "2"}, "PMI_RANK is '999"),
        ({"PMI_RANK": "0", "PMI_SIZE": "0"}, "1 to 1,000,000 shards"),
        ({"PMI_RANK": "1", "PMI_SIZE": "1"}, "with 1 shard it can be 0 only"),
        ({"SLURM_ARRAY_TASK_ID": "1"}, "SLURM_ARRAY_TASK_COUNT is not set"),
        (slurm(0, 0, 0, 0), "this array has 0 jobs"),
    ],
)
def test_a_broken_environment_is_refused_by_name(environment, message):
    with pytest.raises(UsageError, match=message):
        parse_shard("auto", environment)
