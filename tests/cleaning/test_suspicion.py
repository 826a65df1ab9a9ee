import numpy as np

from distilcli.cleaning.suspicion import probabilities, suspicions


def test_margins_and_suggestions() -> None:
    found = suspicions(np.array([[0.7, 0.2, 0.1], [0.7, 0.2, 0.1], [0.1, 0.3, 0.6]]), [0, 1, 0])
    assert found.suggested.tolist() == [1, 0, 2]
    np.testing.assert_allclose(found.margins, [-0.5, 0.5, 0.5])


def test_nothing_is_known_of_the_only_row_of_a_label() -> None:
    found = suspicions(np.full((1, 2), np.nan), [1])
    assert found.margins.tolist() == [-1]


def test_a_wrong_label_is_found_out_of_sample() -> None:
    draw = np.random.default_rng(0)
    labels = np.arange(60) % 3
    vectors = np.eye(3)[labels] + draw.normal(0, 0.1, (60, 3))
    given = labels.copy()
    given[7] = 2
    found = suspicions(probabilities(vectors, given.tolist()), given.tolist())
    assert found.margins.argmax() == 7
    assert found.suggested[7] == labels[7]
    assert (found.margins > 0).sum() == 1


def test_the_only_row_of_a_label_has_no_probabilities() -> None:
    vectors = np.eye(2)[[0, 1] * 6 + [0]]
    found = probabilities(vectors, [0, 1] * 6 + [2])
    assert np.isnan(found[-1]).all()
    assert not np.isnan(found[:-1]).any()
