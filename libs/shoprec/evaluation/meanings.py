"""What the report's figures mean, in sentences that carry the fused list's own."""

from collections.abc import Mapping, Sequence


def meanings(fused: Mapping[str, float], horizon: int) -> list[tuple[str, str]]:
    """Each measure and what it says of the fused list (measure -> value), judged over ``horizon`` days."""
    bought, found = _of(fused, "precision@10", "{:.2f}", 10), _of(fused, "recall@10", "{:.1%}")
    deeper, lucky = _of(fused, "recall@20", "{:.1%}"), _of(fused, "hit_rate@10", "{:.1%}")
    shown, bits = _of(fused, "coverage@20", "{:.2%}"), _of(fused, "novelty@10", "{:.1f}")
    return [
        ("Precision", f"of the first ten items, {bought} were bought within {horizon} days, on average."),
        ("Recall", f"of all that a user bought, {found} stood in the first ten and {deeper} in the first twenty."),
        ("F1", "the harmonic mean of precision and recall, of each user."),
        ("Hit rate", f"{lucky} of users bought at least one of the first ten."),
        ("NDCG", "hits count more the higher they stand; 1 is the best list possible, cut at the same depth."),
        ("MAP", "the precision at each hit's place, summed and divided by the number of items that the user bought."),
        ("MRR", "one over the place of the first hit."),
        (
            "AUC",
            "the chance that a bought item stands above one not bought, over the whole catalogue; what a list leaves "
            "out stands below it, tied.",
        ),
        ("Coverage", f"{shown} of the catalogue stands in the first twenty of some user."),
        (
            "Diversity",
            "the mean distance of two listed items: 0 in the same category, ½ in the same department (where the shop "
            "tells departments), 1 otherwise.",
        ),
        (
            "Novelty",
            f"the mean self-information of the listed items, here {bits} bits; what half as many users have bought has "
            "one bit more.",
        ),
    ]


def _of(fused: Mapping[str, float], metric: str, form: str, scale: float = 1) -> str:
    return form.format(fused[metric] * scale) if metric in fused else "–"


def activity_in_words(bounds: Sequence[int] | None) -> str:
    """What the activity segments are; ``bounds``: the purchase lines at which a third and two thirds of users lie."""
    what = "Activity is the number of purchase lines known on the lists' day, cut at thirds of all known users"
    if not bounds:
        return f"{what}."
    return f"{what}: low is up to {bounds[0]:,} lines, mid up to {bounds[1]:,}, high above."
