"""Gold: what one run of the pipeline makes for one as-of date. Wide tables have files of their own."""

from shoprec.contracts.core import Column, Table, Write
from shoprec.contracts.gold_features import ITEM_FEATURES, TEXT_EMBEDDINGS, USER_PROFILES
from shoprec.contracts.gold_runs import JOB_RUNS, METRICS, RUNS
from shoprec.contracts.run_columns import AS_OF, RUN_ID
from shoprec.contracts.silver import ITEM_ID, USER_ID

ORIGINS = ("observed", "augmented", "synthetic")
NEIGHBOUR_KINDS = ("similar", "bought_together", "co_visit", "linear")
LISTS = ("all", "discovery")
#: Models whose vectors stand in user_embeddings and item_embeddings.
EMBEDDED = ("als", "spectral", "two_tower", "sequence", "content")
#: Sources of candidates that are made, and fused, where the settings say nothing else.
SOURCES = ("als", "spectral", "two_tower", "item_knn", "popular", "trending", "buy_again")

HOME_MARKET = Column("market", "string", "market that the list is for: the user's home market")
VECTOR = Column("vector", "array<float>", "embedding, width of the model; meant for dot products", tolerance=1e-3)
MODEL = Column("model", "string", "model that made the embedding")

USER_INDEX = Table(
    layer="gold",
    name="user_index",
    comment="the dense number of one user known before the as-of date, for models",
    columns=(
        AS_OF,
        RUN_ID,
        USER_ID,
        Column("user_idx", "int", "0 … users - 1, in order of user_id", low=0),
        HOME_MARKET,
        Column("interactions", "long", "known purchases, lines", low=0),
    ),
    key=("run_id", "as_of", "user_id"),
    write=Write.REPLACE,
    partition=("as_of", "run_id"),
    slice=("as_of", "run_id"),
)

ITEM_INDEX = Table(
    layer="gold",
    name="item_index",
    comment="the dense number of one item known before the as-of date, for models",
    columns=(
        AS_OF,
        RUN_ID,
        ITEM_ID,
        Column("item_idx", "int", "0 … items - 1, in order of item_id", low=0),
        Column("interactions", "long", "known purchases, lines", low=0),
        Column("log_q", "float", "log of the item's chance to be drawn as a negative (popularity to a power)", high=0),
    ),
    key=("run_id", "as_of", "item_id"),
    write=Write.REPLACE,
    partition=("as_of", "run_id"),
    slice=("as_of", "run_id"),
)

SAMPLES = Table(
    layer="gold",
    name="samples",
    comment="one training pair: a user and an item that the user chose",
    columns=(
        AS_OF,
        RUN_ID,
        Column("origin", "string", "where the pair comes from", allowed=ORIGINS),
        Column("user_idx", "int", "user_index.user_idx", low=0),
        Column("item_idx", "int", "item_index.item_idx", low=0),
        Column("label", "float", "1: chosen", low=0, high=1),
        Column("weight", "float", "weight of the event types, decayed by age; > 0", low=0),
        Column("importance", "float", "further factor of the loss; 1 where nothing else is known", low=0),
        Column("interactions", "int", "events that the pair sums up", low=1),
        Column("age_days", "float", "days between the latest event and the as-of date", low=0),
    ),
    key=("run_id", "as_of", "user_idx", "item_idx", "origin"),
    write=Write.REPLACE,
    partition=("as_of", "run_id", "origin"),
    slice=("as_of", "run_id", "origin"),
)

USER_EMBEDDINGS = Table(
    layer="gold",
    name="user_embeddings",
    comment="the embedding of one user by one model",
    columns=(AS_OF, RUN_ID, MODEL, USER_ID, VECTOR),
    key=("run_id", "as_of", "model", "user_id"),
    write=Write.REPLACE,
    partition=("as_of", "run_id", "model"),
    slice=("as_of", "run_id", "model"),
)

ITEM_EMBEDDINGS = Table(
    layer="gold",
    name="item_embeddings",
    comment="the embedding of one item by one model",
    columns=(AS_OF, RUN_ID, MODEL, ITEM_ID, VECTOR),
    key=("run_id", "as_of", "model", "item_id"),
    write=Write.REPLACE,
    partition=("as_of", "run_id", "model"),
    slice=("as_of", "run_id", "model"),
)

ITEM_NEIGHBOURS = Table(
    layer="gold",
    name="item_neighbours",
    comment="one neighbour of one item",
    columns=(
        AS_OF,
        RUN_ID,
        Column("kind", "string", "what makes them neighbours", allowed=NEIGHBOUR_KINDS),
        ITEM_ID,
        Column("neighbour_id", "string", "the neighbouring item"),
        Column("similarity", "double", "similar: shrunk cosine in (0, 1]; the others: lift, weight, > 0", low=0),
        Column("support", "long", "users, baskets or pairs of visits that they have in common", low=1),
        Column("rank", "int", "1: nearest", low=1),
    ),
    key=("run_id", "as_of", "kind", "item_id", "neighbour_id"),
    write=Write.REPLACE,
    partition=("as_of", "run_id", "kind"),
    slice=("as_of", "run_id", "kind"),
    may_be_empty=True,
)

CANDIDATES = Table(
    layer="gold",
    name="candidates",
    comment="one item that one source proposes to one user",
    columns=(
        AS_OF,
        RUN_ID,
        Column("source", "string", "maker of the candidate"),
        HOME_MARKET,
        USER_ID,
        ITEM_ID,
        Column("score", "double", "the source's own score, higher is better; comparable within one list only"),
        Column("rank", "int", "1: best of the user's list", low=1),
    ),
    key=("run_id", "as_of", "source", "market", "user_id", "item_id"),
    write=Write.REPLACE,
    partition=("as_of", "run_id", "source"),
    slice=("as_of", "run_id", "source"),
    may_be_empty=True,
)

RECOMMENDATIONS = Table(
    layer="gold",
    name="recommendations",
    comment="one item of one user's fused list, with its reasons: what is exported",
    columns=(
        AS_OF,
        RUN_ID,
        Column("list", "string", "all: anything; discovery: only items that the user never bought", allowed=LISTS),
        HOME_MARKET,
        USER_ID,
        Column("rank", "int", "1: best", low=1),
        ITEM_ID,
        Column("score", "double", "calibrated probability of a purchase within the horizon", low=0, high=1),
        Column("sources", "array<string>", "sources that proposed the item, strongest first"),
        Column("reasons", "array<string>", "why, in words, strongest first"),
    ),
    key=("run_id", "list", "market", "user_id", "rank"),
    write=Write.REPLACE,
    partition=("as_of", "run_id"),
    slice=("as_of", "run_id"),
)

GOLD: tuple[Table, ...] = (
    USER_PROFILES,
    ITEM_FEATURES,
    TEXT_EMBEDDINGS,
    USER_INDEX,
    ITEM_INDEX,
    SAMPLES,
    USER_EMBEDDINGS,
    ITEM_EMBEDDINGS,
    ITEM_NEIGHBOURS,
    CANDIDATES,
    RECOMMENDATIONS,
    METRICS,
    JOB_RUNS,
    RUNS,
)
