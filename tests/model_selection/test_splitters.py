"""What is in the training and the test sets of the splitters, and how they are told of groups."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_score, cross_validate

from skmixed import MixedLinearRegressor
from skmixed.model_selection import ForwardSplit, KnownGroupsKFold, NewGroupsKFold

KINDS = [KnownGroupsKFold, NewGroupsKFold, ForwardSplit]


@pytest.fixture
def rows():
    """Pupils in classes in schools, who answer items; some pupils answered one item only."""
    rng = np.random.default_rng(0)
    pupil = np.sort(rng.integers(0, 60, 400))
    pupil[:2] = 60, 61
    X = pd.DataFrame({"pupil": pupil, "item": rng.integers(0, 12, 400), "x": rng.normal(size=400)})
    X["class"] = X["pupil"] // 3
    X["school"] = [f"school {c // 2}" for c in X["class"]]
    X = X.sample(frac=1, random_state=0, ignore_index=True)
    return X, rng.normal(size=62)[X["pupil"]] + X["x"] + rng.normal(0, 0.3, 400)


def levels(X, rows, column):
    return set(X[column].iloc[rows])


class TestKnownGroups:
    @pytest.mark.parametrize("columns", ["pupil", ["pupil", "item"], ["school", "class", "pupil"]])
    @pytest.mark.parametrize("shuffle", [True, False])
    def test_groups_of_the_test_set_are_known(self, rows, columns, shuffle):
        X, _ = rows
        cv = KnownGroupsKFold(4, groups=columns, shuffle=shuffle, random_state=0)
        tested = np.zeros(len(X), dtype=int)
        sizes = []
        for train, test in cv.split(X):
            for name in np.atleast_1d(columns):
                assert levels(X, test, name) <= levels(X, train, name)
            assert len(train) + len(test) == len(X) and not set(train) & set(test)
            tested[test] += 1
            sizes.append(len(test))
        assert max(sizes) - min(sizes) <= 2
        alone = X["pupil"].map(X["pupil"].value_counts()) == 1
        assert alone.any() and not tested[alone].any()
        assert np.all(tested[~alone] == 1)

    def test_factors_that_meet_seldom(self):
        """Rows that are the last of a level in a fold stay in the training sets."""
        rng = np.random.default_rng(1)
        X = pd.DataFrame({"a": rng.integers(0, 40, 100), "b": rng.integers(0, 40, 100)})
        for seed in range(20):
            splits = list(KnownGroupsKFold(3, groups=["a", "b"], random_state=seed).split(X))
            assert len(splits) == 3
            for train, test in splits:
                assert levels(X, test, "a") <= levels(X, train, "a")
                assert levels(X, test, "b") <= levels(X, train, "b")

    def test_groups_of_one_row_only(self):
        with pytest.raises(ValueError, match="test set of split 0 has no rows"):
            list(KnownGroupsKFold(2).split(np.zeros(6), groups=np.arange(6)))


class TestNewGroups:
    @pytest.mark.parametrize("shuffle", [True, False])
    @pytest.mark.parametrize(
        "columns", ["pupil", ["school", "class", "pupil"], ["class", "school"]]
    )
    def test_groups_of_the_test_set_are_new(self, rows, columns, shuffle):
        """Nested columns follow the outermost, and every row is tested once."""
        X, _ = rows
        seed = 0 if shuffle else None
        cv = NewGroupsKFold(4, groups=columns, shuffle=shuffle, random_state=seed)
        tested = np.zeros(len(X), dtype=int)
        for train, test in cv.split(X):
            for name in np.atleast_1d(columns):
                assert not levels(X, test, name) & levels(X, train, name)
            assert len(train) + len(test) == len(X)
            tested[test] += 1
        assert np.all(tested == 1)

    def test_crossed_columns(self, rows):
        X, _ = rows
        for train, test in NewGroupsKFold(3, groups=["pupil", "item"]).split(X):
            assert not levels(X, test, "pupil") & levels(X, train, "pupil")
            assert not levels(X, test, "item") & levels(X, train, "item")
            assert len(train) > 120 and len(test) > 30

    def test_one_column_is_as_balanced_as_group_k_fold(self, rows):
        X, _ = rows
        ours = sorted(len(test) for _, test in NewGroupsKFold(4, groups="class").split(X))
        theirs = sorted(len(test) for _, test in GroupKFold(4).split(X, groups=X["class"]))
        assert ours == theirs

    def test_too_few_groups(self, rows):
        X, _ = rows
        with pytest.raises(ValueError, match="'item' has 12 levels only"):
            list(NewGroupsKFold(13, groups="item").split(X))


class TestForward:
    def test_from_past_to_future(self, rows):
        X, _ = rows
        X = X.assign(week=np.random.default_rng(0).integers(0, 9, len(X)))
        for size in (1, 2):
            cv = ForwardSplit(3, groups="pupil", time="week", test_size=size)
            for k, (train, test) in enumerate(cv.split(X)):
                past = X.iloc[train].groupby("pupil")["week"].max()
                future = X.iloc[test].groupby("pupil")["week"]
                assert set(future.groups) <= set(past.index)
                assert np.all(future.min() > past[future.min().index])
                assert np.all(future.nunique() <= size)
                if k == 2:
                    assert len(train) + len(test) + self.short(X, size) == len(X)

    def short(self, X, size):
        """Rows of pupils without a week before the last ones."""
        weeks = X.groupby("pupil")["week"].transform("nunique")
        return int(np.sum(weeks <= size))

    def test_the_order_of_rows(self):
        X = np.arange(8).reshape(-1, 1)
        splits = list(ForwardSplit(2).split(X, groups=[0, 0, 1, 1, 1, 0, 0, 1]))
        assert [list(test) for _, test in splits] == [[4, 5], [6, 7]]
        assert [list(train) for train, _ in splits] == [[0, 1, 2, 3], [0, 1, 2, 3, 4, 5]]

    def test_several_columns_make_a_series(self):
        X = pd.DataFrame({"a": [0, 0, 0, 0], "b": [0, 1, 0, 1], "t": [1, 1, 2, 2]})
        ((train, test),) = ForwardSplit(1, groups=["a", "b"], time="t").split(X)
        assert list(train) == [0, 1] and list(test) == [2, 3]

    def test_dates_and_polars(self):
        days = pd.to_datetime(["2024-03-01", "2024-01-01", "2024-02-01"])
        X = pl.from_pandas(pd.DataFrame({"g": ["a", "a", "a"], "day": days}))
        ((train, test),) = ForwardSplit(1, groups="g", time="day").split(X)
        assert list(train) == [1, 2] and list(test) == [0]

    def test_text_that_is_no_date_is_refused(self):
        X = pd.DataFrame(
            {"g": 0, "t": ["9", "10", "11"], "day": ["2024-03-01", "2024-01-01", "2024-02-01"]}
        )
        with pytest.raises(ValueError, match="column 't' holds text, '9'"):
            list(ForwardSplit(1, groups="g", time="t").split(X))
        X["order"] = pd.Categorical(X["t"], categories=["9", "10", "11"], ordered=True)
        for time, last in (("day", 0), ("order", 2)):
            ((_, test),) = ForwardSplit(1, groups="g", time=time).split(X)
            assert list(test) == [last]

    def test_too_short(self):
        with pytest.raises(ValueError, match="longer groups"):
            list(ForwardSplit(2).split(np.zeros(4), groups=[0, 0, 1, 1]))
        with pytest.raises(ValueError, match="missing in 1 rows"):
            X = pd.DataFrame({"g": [0, 0], "t": [1, None]})
            list(ForwardSplit(1, groups="g", time="t").split(X))


@pytest.mark.parametrize("kind", KINDS)
class TestAllOfThem:
    def test_names_positions_and_labels_agree(self, rows, kind):
        X, y = rows
        seed = {} if kind is ForwardSplit else {"random_state": 0, "shuffle": True}
        expected = list(kind(3, groups=["class", "item"][:1], **seed).split(X, y))
        others = [
            kind(3, groups=3, **seed).split(X.to_numpy()),
            kind(3, groups="class", **seed).split(pl.from_pandas(X)),
            kind(3, **seed).split(X, y, groups=X["class"]),
            kind(3, **seed).split(X, y, groups=X[["class"]]),
            kind(3, **seed).split(np.zeros(len(X)), groups=list(X["class"])),
        ]
        for splits in others:
            for found, right in zip(splits, expected, strict=True):
                np.testing.assert_array_equal(found[0], right[0])
                np.testing.assert_array_equal(found[1], right[1])

    def test_repr_and_number(self, kind):
        cv = kind(3, groups=["a", "b"])
        assert repr(cv).startswith(f"{kind.__name__}(groups=['a', 'b'], n_splits=3")
        assert cv.get_n_splits() == 3

    def test_in_a_search(self, rows, kind):
        X, y = rows
        search = GridSearchCV(
            MixedLinearRegressor("pupil"),
            {"method": ["ml"]},
            cv=kind(3, groups="pupil"),
            error_score="raise",
        ).fit(X[["x", "pupil"]], y)
        scores = cross_val_score(
            MixedLinearRegressor("pupil"), X[["x", "pupil"]], y, cv=kind(3, groups="pupil")
        )
        assert (search.best_score_ > 0.85) == (kind is not NewGroupsKFold)
        assert (scores.mean() > 0.85) == (kind is not NewGroupsKFold)

    def test_routing(self, rows, kind):
        X, y = rows
        with sklearn.config_context(enable_metadata_routing=True):
            found = cross_validate(
                MixedLinearRegressor(), X[["x"]], y, cv=kind(3), params={"groups": X["pupil"]}
            )
            assert (found["test_score"].mean() > 0.85) == (kind is not NewGroupsKFold)
            assert kind().get_metadata_routing().split.requests == {"groups": True}
            named = kind(groups="pupil")
            assert named.get_metadata_routing().split.requests == {"groups": False}
            other = kind(3).set_split_request(groups="unit")
            params = {"unit": X["pupil"]}
            cross_validate(Ridge(), X[["x"]], y, cv=other, params=params)

    def test_wrong_arguments(self, rows, kind):
        X, y = rows
        with pytest.raises(ValueError, match="got none"):
            list(kind().split(X))
        with pytest.raises(ValueError, match="not both"):
            list(kind(groups="pupil").split(X, y, X["pupil"]))
        with pytest.raises(ValueError, match="Did you mean 'pupil'"):
            list(kind(groups="pupill").split(X))
        with pytest.raises(ValueError, match="contains NaN"):
            list(kind(groups="pupil").split(X.assign(pupil=np.nan)))
        with pytest.raises(ValueError, match="values for 400 rows"):
            list(kind().split(X, y, [1, 2]))
        with pytest.raises(TypeError, match="not a whole number"):
            kind(2.5)
        with pytest.raises(ValueError, match="too few"):
            kind(0)


def test_test_size_is_called_by_its_name():
    rows = pd.DataFrame({"id": [1, 1, 1]})
    with pytest.raises(ValueError, match="test_size=0 is too few"):
        list(ForwardSplit(1, groups="id", test_size=0).split(rows))
