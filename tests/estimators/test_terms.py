"""lme4's notation."""

import pytest
from sklearn.base import clone

from skmixed import MixedLinearRegressor, RandomEffect
from skmixed.terms import parse_terms

pytestmark = pytest.mark.smoke

R = RandomEffect


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("(1 | g)", [R("g")]),
        ("(x | g)", [R("g", ("x",))]),
        ("(1 + x + z | g)", [R("g", ("x", "z"))]),
        ("(0 + x | g)", [R("g", ("x",), intercept=False)]),
        ("(x - 1 | g)", [R("g", ("x",), intercept=False)]),
        ("(-1 + x | g)", [R("g", ("x",), intercept=False)]),
        ("(1|g)+(0+x|g)", [R("g"), R("g", ("x",), intercept=False)]),
        ("(x || g)", [R("g"), R("g", ("x",), intercept=False)]),
        ("(0 + x || g)", [R("g", ("x",), intercept=False)]),
        ("(1 | a/b)", [R("a"), R(("a", "b"))]),
        ("(1 | a/b/c)", [R("a"), R(("a", "b")), R(("a", "b", "c"))]),
        ("(1 | a:b)", [R(("a", "b"))]),
        ("(1 + `total.exp` | `my group`)", [R("my group", ("total.exp",))]),
        ("(IQ.verb | school_nr) + (1 | year)", [R("school_nr", ("IQ.verb",)), R("year")]),
    ],
)
def test_terms(text, terms):
    assert parse_terms(text) == terms


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1 | g",
        "(1 | g",
        "(1 g)",
        "(1 | g) (1 | h)",
        "(1 | g) - (1 | h)",
        "(0 | g)",
        "(x*z | g)",
        "(1 | 3)",
        "(1 |)",
    ]
    + ["(- x | g)", "((1 | g))", "(1 | g) + x", "(log(x) | g)", "(1 | g) +"],
)
def test_nonsense_is_refused_in_words(text):
    with pytest.raises(ValueError, match="random_effects=") as error:
        parse_terms(text)
    assert "Write terms such as" in str(error.value).splitlines()[1]


def test_value_semantics():
    effect = RandomEffect("g", ["x"])
    assert effect == RandomEffect("g", ("x",)) and effect.columns == ("x",)
    assert RandomEffect("g", "x").columns == ("x",)
    assert RandomEffect(["a", "b"]).group == ("a", "b")
    model = MixedLinearRegressor(random_effects=[effect])
    assert clone(model).get_params()["random_effects"] == [effect]
    with pytest.raises(ValueError, match="neither an intercept nor a column"):
        RandomEffect("g", intercept=False)
