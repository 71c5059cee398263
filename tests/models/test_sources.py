"""The setting that says which sources propose."""

import pytest
from pydantic import ValidationError

from shoprec.contracts.gold import SOURCES
from shoprec.models.sources import KNOWN, CandidatesConfig


def test_names_take_the_sources_as_they_come():
    told = CandidatesConfig(sources=["als", "buy_again"]).sources
    assert list(told) == ["als", "buy_again"]
    assert (told["als"].kind, told["als"].new, told["als"].bought) == ("embeddings", 60, 40)
    assert (told["buy_again"].kind, told["buy_again"].new) == ("list", 0)
    assert list(CandidatesConfig().sources) == list(SOURCES)
    assert set(SOURCES) <= set(KNOWN)


def test_a_new_model_needs_one_line():
    told = CandidatesConfig(sources={"als": None, "sequence": {"kind": "embeddings", "new": 70}}).sources
    assert (told["sequence"].kind, told["sequence"].new, told["sequence"].bought) == ("embeddings", 70, 40)
    assert told["als"].kind == "embeddings"


@pytest.mark.parametrize(
    ("sources", "message"),
    [
        (["two_towers"], r"'two_towers' is unknown and names no kind; did you mean 'two_tower'"),
        ({"als": {"nwe": 3}}, "nwe"),
        ({"als": {"new": 0, "bought": 0}}, "propose nothing"),
        ({"als": {"new": -1}}, "greater than or equal to 0"),
        ({"als": {"options": {"rank": 3}}}, "takes no options"),
        ({"popular": {"options": {"half_life": 3}}}, "half_life"),
        ({"popular": {"options": {"half_life_days": float("nan")}}}, "half_life_days"),
        ({"item_knn": {"of": "similiar"}}, "did you mean 'similar'"),
        ({"fashion": {"kind": "list"}}, "no source lies in models/fashion"),
        ({}, "at least 1"),
        ("als", "dict"),
    ],
)
def test_what_is_wrong_is_named(sources, message):
    with pytest.raises(ValidationError, match=message):
        CandidatesConfig(sources=sources)
