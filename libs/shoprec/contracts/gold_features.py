"""Gold tables that describe users, items and texts."""

from shoprec.contracts.core import Column, Table, Write
from shoprec.contracts.run_columns import AS_OF, RUN_ID
from shoprec.contracts.silver import ITEM_ID, MONEY, USER_ID

_SLICE = ("as_of", "run_id")

#: Where a user stands against their own rhythm of buying.
STAGES = ("new", "active", "lapsing", "lapsed")

#: Tastes of a user: name, affinity = log of the shrunk share over the population's share, share of decayed purchases.
_TASTES = "array<struct<name:string,affinity:double,share:double>>"

#: Width of every text embedding.
TEXT_WIDTH = 384


def _count(name: str, comment: str) -> Column:
    return Column(name, "long", comment, low=0)


def _share(name: str, comment: str, nullable: bool = False) -> Column:
    return Column(name, "double", f"{comment}, in [0, 1]", nullable=nullable, low=0, high=1)


def _days(name: str, comment: str, nullable: bool = False) -> Column:
    return Column(name, "double", f"{comment}, days", nullable=nullable, low=0)


def _log(name: str, comment: str) -> Column:
    return Column(name, "double", f"{comment}, natural log, 0: as usual or nothing known", low=-20, high=20)


def _known(name: str, comment: str) -> Column:
    return Column(name, "string", f"{comment}; null where the shop does not know", nullable=True)


USER_PROFILES = Table(
    layer="gold",
    name="user_profiles",
    comment="what is known before the as-of date of one user with at least one known purchase",
    columns=(
        AS_OF,
        RUN_ID,
        USER_ID,
        Column("market", "string", "home market: where the user buys most"),
        # activity: purchases; returns subtract from money and units only
        _days("recency_days", "since the last purchase"),
        _days("tenure_days", "since the first known purchase"),
        _count("baskets", "baskets bought (a day's purchases in a market where the source has no baskets)"),
        _count("baskets_28d", "baskets of the last 28 days"),
        _count("baskets_91d", "baskets of the last 91 days"),
        _count("lines", "purchase lines"),
        _count("items", "distinct items bought"),
        Column("frequency", "double", "baskets per 28 days of the tenure (of 28 days where it is shorter)", low=0),
        Column("spend", MONEY, "paid, less returns, currency"),
        Column("spend_28d", MONEY, "paid in the last 28 days, less returns, currency"),
        Column("spend_91d", MONEY, "paid in the last 91 days, less returns, currency"),
        Column("basket_spend", "double", "spend a basket, currency; below 0 where more was returned than bought"),
        Column("basket_lines", "double", "lines a basket", low=1),
        Column("basket_units", "double", "units bought, less returned, a basket"),
        _days("gap_days", "mean between successive days of purchase; null with one such day alone", nullable=True),
        _days("gap_spread_days", "standard deviation of the gaps; null with fewer than two gaps", nullable=True),
        _share("repeat_rate", "share of (basket, item) whose item the user had bought in an earlier basket"),
        Column("return_rate", "double", "lines returned per line bought", low=0),
        Column("rhythm", "double", "recency over the gap that is expected of the user; 1: due now", low=0),
        Column("stage", "string", "lifecycle stage, by the user's own rhythm", allowed=STAGES),
        # habits: shares of baskets, by the shop's clock
        Column("hour_shares", "array<float>", "share of baskets by hour of day, 24 from 0 h, sum 1", low=0, high=1),
        Column("weekday_shares", "array<float>", "share of baskets by day, 7 from Monday, sum 1", low=0, high=1),
        _share("weekend_share", "share of baskets on Saturday and Sunday"),
        Column("usual_hour", "double", "circular mean of the hour of day, hours", low=0, high=24, tolerance=1e-3),
        _share("hour_focus", "length of the mean vector of the hours; 1: always the same hour"),
        _known("store_id", "store where the user buys most"),
        _share("market_share", "share of lines bought in the home market"),
        _count("markets", "markets bought in"),
        # taste: shares of purchases decayed by age, against the population's
        Column("departments", _TASTES, "departments that tell the user from the population, strongest first"),
        Column("categories", _TASTES, "categories that tell the user from the population, strongest first"),
        Column("brands", _TASTES, "brands that tell the user from the population, strongest first"),
        Column("department_breadth", "double", "effective number of departments, exp(entropy); 0: none known", low=0),
        Column("category_breadth", "double", "effective number of categories, exp(entropy); 0: none known", low=0),
        Column("brand_breadth", "double", "effective number of brands, exp(entropy); 0: none known", low=0),
        Column(
            "taste_distance",
            "double",
            "Kullback-Leibler divergence of category shares from the population's, nats",
            low=0,
        ),
        # price and promotion
        _log("price_level", "unit prices paid over the categories' medians, shrunk"),
        _share("discount_depth", "saved by discounts and coupons, over the price before them"),
        _share("offer_share", "share of lines bought at a discount; null: discounts unknown", nullable=True),
        _share("coupon_share", "share of lines bought with a coupon; null: coupons unknown", nullable=True),
        _share("display_share", "share of lines on display in the store then; null: displays unknown", nullable=True),
        _share("mailer_share", "share of lines in the mailer of the store then; null: mailers unknown", nullable=True),
        _log("offer_response", "lines bought on offer over those by chance in the same categories, shrunk"),
        _log("coupon_response", "lines bought with a coupon over those by chance in the same categories, shrunk"),
        _log("display_response", "lines bought on display over those by chance in the same categories, shrunk"),
        _log("mailer_response", "lines bought in the mailer over those by chance in the same categories, shrunk"),
        # demographics: silver.users
        _known("age_band", "age of the household's head, band"),
        _known("income_band", "yearly income, band"),
        _known("household_size", "persons"),
        _known("household_type", "kind of household"),
        _known("children", "children"),
        _known("marital_status", "marital status"),
        _known("home_ownership", "owner, renter …"),
        _known("country", "country of residence"),
    ),
    key=("run_id", "as_of", "user_id"),
    write=Write.REPLACE,
    partition=_SLICE,
    slice=_SLICE,
)

ITEM_FEATURES = Table(
    layer="gold",
    name="item_features",
    comment="what is known before the as-of date of one item of the catalogue or sold",
    columns=(
        AS_OF,
        RUN_ID,
        ITEM_ID,
        _known("name", "name shown to people"),
        _known("department", "highest level of the catalogue"),
        _known("category", "middle level of the catalogue"),
        _known("subcategory", "lowest level of the catalogue"),
        _known("brand", "brand or maker"),
        _known("brand_type", "e.g. national or private label"),
        Column(
            "text_hash",
            "string",
            "SHA-256 of the item's text, hex: text_embeddings.text_hash; null: no text",
            nullable=True,
        ),
        # popularity: purchases
        _count("lines", "purchase lines"),
        _count("lines_7d", "purchase lines of the last 7 days"),
        _count("lines_28d", "purchase lines of the last 28 days"),
        _count("lines_91d", "purchase lines of the last 91 days"),
        _count("lines_364d", "purchase lines of the last 364 days"),
        _count("users", "users who bought it"),
        _count("users_7d", "users who bought it in the last 7 days"),
        _count("users_28d", "users who bought it in the last 28 days"),
        _count("users_91d", "users who bought it in the last 91 days"),
        _count("users_364d", "users who bought it in the last 364 days"),
        _share("reach", "share of all known buyers who bought it"),
        _log("trend_7d", "lines of 7 days over those expected from its share of the last 91 days, shrunk"),
        _log("trend_28d", "lines of 28 days over those expected from its share of the last 364 days, shrunk"),
        _days("age_days", "since the first known sale; null: never sold", nullable=True),
        _days("idle_days", "since the last sale; null: never sold", nullable=True),
        # place in the catalogue
        _share("category_share", "share of the lines of its category; 0: no category or never sold"),
        _log("price_level", "median unit price paid over the category's median"),
        Column("price", MONEY, "price now, median over the markets, currency; null: unknown", nullable=True, low=0),
        Column(
            "list_price",
            MONEY,
            "price now before discounts, median over the markets, currency; null: unknown",
            nullable=True,
            low=0,
        ),
        # promotion
        _share("discount_depth", "price reduction of the shop over the price before it; 0: none or never sold"),
        _share("discount_frequency", "share of lines sold at a discount; 0: none or never sold"),
        _share("coupon_frequency", "share of lines sold with a coupon; 0: none or never sold"),
        _share("display_share", "share of store-weeks with promotions in which it was on display"),
        _share("mailer_share", "share of store-weeks with promotions in which it was in the mailer"),
        _share("promotion_share", "share of store-weeks with promotions in which it was on display or in the mailer"),
        _share("display_now", "share of promoting stores with it on display on the last day before the as-of date"),
        _share("mailer_now", "share of promoting stores that have it in the mailer on the last day before"),
        # loyalty
        _share("repeat_rate", "share of buyers who bought it in two baskets or more, shrunk to the shop's"),
        _days(
            "repurchase_days",
            "mean between a user's successive baskets with it; null: none bought twice",
            nullable=True,
        ),
        Column("buyer_breadth", "double", "effective number of buyers, exp(entropy of lines); 0: never sold", low=0),
        # season
        Column(
            "seasonality", "double", "Kullback-Leibler divergence of its months from the shop's, nats, shrunk", low=0
        ),
        _log("season_now", "its share of the as-of date's calendar month over the shop's, shrunk"),
        # company in the basket
        Column("basket_items", "double", "mean number of other items in its baskets; 0: never sold", low=0),
        _log("co_purchase", "other items in its baskets over the other items in an average line's, shrunk"),
    ),
    key=("run_id", "as_of", "item_id"),
    write=Write.REPLACE,
    partition=_SLICE,
    slice=_SLICE,
)

TEXT_EMBEDDINGS = Table(
    layer="gold",
    name="text_embeddings",
    comment="the embedding of one distinct text by one encoder; kept across runs, each text encoded once",
    columns=(
        Column("encoder", "string", "minilm, minilm_bf16 or hashed; other vectors have another name"),
        Column("text_hash", "string", "SHA-256 of the text, hex"),
        Column(
            "vector",
            "array<float>",
            f"embedding, {TEXT_WIDTH} wide, of unit length (0 where the text has no word)",
            low=-1,
            high=1,
            tolerance=1e-3,
        ),
    ),
    key=("encoder", "text_hash"),
    write=Write.MERGE,
    may_be_empty=True,
)
