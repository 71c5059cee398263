"""What candidates and a user's own purchases say of each pair of user and item.

Candidates, matches, purchases and odds are laid under one another, brought together by user, and only grouped: no join,
so no fan-out.
"""

import math
from collections.abc import Sequence

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from shoprec.ranking.histories import BOUGHT
from shoprec.reuse import dealt

#: Of what was never bought, nothing was bought; its ages are unknown.
_NONE = ("pair_days", "pair_decayed", "units", "paid")


#: Users whose pairs lie in one part: at 600 a user some 1.2 million, which are sorted without going to disk.
USERS_PER_PART = 2_048


def pairs(
    candidates: DataFrame, matched: DataFrame, bought: DataFrame, odds: DataFrame, sources: Sequence[str], users: int
) -> DataFrame:
    """One row a pair of user and item that is a candidate or was bought.

    ``candidates``: source, user_id, item_id, score, rank; ``matched``: user_id, item_id of every candidate and
    ``match_<model>``; ``bought`` as of ``ranking.histories``; ``odds``: user_id, item_id, odds of what the ranker of
    known items has scored; ``users``: how many there are, about. Gives proposals (how many sources proposed it; 0: not
    a candidate); for each source ``score_<source>`` (the source's own) and ``rank_<source>``, null where it did not
    propose the item; ``match_<model>``, null for what is not a candidate; pair_odds, null for what was not scored; and
    what ``bought`` says: 0 days, units and money, and ages of null, where it says nothing.
    """
    proposed = candidates.where(F.col("source").isin(list(sources)))
    both = proposed.select("user_id", "item_id", "source", "score", "rank")
    for more in (matched, bought, odds.select("user_id", "item_id", F.col("odds").alias("pair_odds"))):
        both = both.unionByName(more, allowMissingColumns=True)
    told = {
        f"{what}_{source}": F.max(F.when(F.col("source") == source, F.col(what)))
        for source in sources
        for what in ("score", "rank")
    }
    alone = [name for name in (*matched.columns, *BOUGHT, "pair_odds") if name not in ("user_id", "item_id")]
    # Numbers alone are aggregated: a string among them would turn hashing into sorting.
    # Left to itself, Spark would make few parts of rows that are narrow here and grow wide later.
    grouped = (
        dealt(both, "user_id", least=math.ceil(users / USERS_PER_PART))
        .groupBy("user_id", "item_id")
        .agg(
            F.count("source").alias("proposals"),
            *(column.alias(name) for name, column in told.items()),
            *(F.max(name).alias(name) for name in alone),
        )
    )
    return grouped.na.fill(0.0, list(_NONE))
