"""Scores are those of scikit-learn's metrics, whatever the response comes in."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, r2_score

from skmixed._data.outcomes import Labels
from skmixed._data.response import explained

rng = np.random.default_rng(3)
Y = rng.normal(5.0, 2.0, 40)
PREDICTED = Y + rng.normal(size=40)


@pytest.mark.parametrize(
    "y",
    [
        Y,
        pd.Series(Y, index=np.arange(40) + 7),
        Y.astype(np.float32),
        np.rint(Y).astype(np.int16),
        Y > 5,
        Y.tolist(),
        pd.DataFrame({"y": Y}),
        pd.Series(Y, dtype="Float64"),
        np.full(40, 3.0),
    ],
    ids=["array", "series", "float32", "int16", "bool", "list", "table", "nullable", "constant"],
)
def test_share_explained_is_that_of_scikit_learn(y):
    assert explained(y, PREDICTED, None) == pytest.approx(r2_score(y, PREDICTED), rel=1e-12)


def test_share_explained_of_weighted_rows():
    w = np.arange(40.0)
    expected = r2_score(Y, PREDICTED, sample_weight=w)
    assert explained(Y, PREDICTED, w) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("y", [np.append(Y[:-1], np.nan), np.append(Y[:-1], np.inf), Y[:-1]])
def test_what_is_wrong_with_a_response_is_said_by_scikit_learn(y):
    with pytest.raises(ValueError, match=r"NaN|infinity|inconsistent"):
        explained(y, PREDICTED, None)


@pytest.mark.parametrize(
    "y",
    [
        np.array([0, 1, 1, 0]),
        np.array([-3, 7, 7, -3], dtype=np.int8),
        np.array([True, False, True, True]),
        np.array([1.0, 2.0, 2.0, 1.0]),
        np.array(["no", "yes", "yes", "no"]),
        pd.Series([0, 1, 1, 0], dtype="uint8"),
    ],
)
def test_labels_are_those_of_numpy(y):
    outcomes = Labels(y)
    codes = outcomes.coded(np.asarray(y))
    labels, expected = np.unique(np.asarray(y), return_inverse=True)

    np.testing.assert_array_equal(outcomes.labels, labels)
    assert outcomes.labels.dtype == labels.dtype
    np.testing.assert_array_equal(codes, expected)
    predicted = labels[1 - expected]
    predicted[0] = np.asarray(y)[0]
    assert outcomes.accuracy(predicted, labels, None) == accuracy_score(y, predicted)


@pytest.mark.parametrize(
    ("y", "words"),
    [
        ([0.5, 1.0], "Unknown label type"),
        ([0.0, np.inf], "infinity|NaN"),
        ([0.0, np.nan], "NaN"),
        ([1, 1], "only one class"),
        ([0, 1, 2], "Only binary classification"),
    ],
)
def test_what_is_no_pair_of_labels_is_refused(y, words):
    with pytest.raises(ValueError, match=words):
        Labels(y).coded(np.array(y))
