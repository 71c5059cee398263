"""Silver: what happened in the shop and what is known of its users and items, in the words of the design."""

from shoprec.contracts.core import Column, Table, Write

#: Closed set of interaction types.
INTERACTION_TYPES = ("view", "cart", "purchase", "return", "rating", "search_click", "coupon_redemption")

#: Closed set of promotion kinds.
PROMOTION_KINDS = ("in_store", "coupon")

MONEY = "decimal(18,2)"

USER_ID = Column("user_id", "string", "user, as the shop names them")
ITEM_ID = Column("item_id", "string", "item, as the shop names it")
MARKET = Column("market", "string", "where it happened: country, store or channel")
DOMAIN = Column("domain", "string", "part of the catalogue or platform across which taste is carried")
KNOWN_AT = Column("known_at", "timestamp", "UTC; when the row was known: its arrival, or its event plus the shop's lag")
VALID_FROM = Column("valid_from", "timestamp", "UTC; from when on the row holds, inclusive")
VALID_TO = Column("valid_to", "timestamp", "UTC; until when the row holds, exclusive; null: still holds", nullable=True)
TIMELESS = Column("timeless", "boolean", "true: an attribute without history, held to be known since ever")

INTERACTIONS = Table(
    layer="silver",
    name="interactions",
    comment="one version of one event of one user with one item; a correction is a later version of its event",
    columns=(
        Column("event_id", "string", "identity of this version of the event: hash of event_key and known_at"),
        Column("event_key", "string", "identity of the event: shared by its corrections"),
        Column("event_at", "timestamp", "UTC; when it happened"),
        KNOWN_AT,
        Column("superseded_at", "timestamp", "UTC; when a correction became known; null: stands", nullable=True),
        MARKET,
        DOMAIN,
        Column("source", "string", "dataset that the row came from"),
        Column("type", "string", "kind of event", allowed=INTERACTION_TYPES),
        USER_ID,
        Column("item_id", "string", "item; for coupon_redemption 'coupon:' and the coupon's code"),
        Column("basket_id", "string", "basket, session or invoice; null where the source has none", nullable=True),
        Column("store_id", "string", "outlet within the market; null where the source has none", nullable=True),
        Column("quantity", "decimal(18,3)", "units or kilograms, > 0 except returns, which are < 0"),
        Column("amount", MONEY, "paid for the whole line, currency of the shop; < 0 for returns", nullable=True),
        Column("discount", MONEY, "price reduction by the shop on the line, currency, >= 0", low=0, nullable=True),
        Column("coupon_discount", MONEY, "reduction by coupons on the line, currency, >= 0", low=0, nullable=True),
        Column("month", "string", "month of event_at, yyyy-MM"),
    ),
    key=("event_id",),
    write=Write.REPLACE,
    seen_at_once=True,
    partition=("month",),
    slice=("month",),
)

ITEMS = Table(
    layer="silver",
    name="items",
    comment="what is known of one item over one span of time, since one moment",
    columns=(
        ITEM_ID,
        VALID_FROM,
        VALID_TO,
        Column(
            "ended_at", "timestamp", "UTC; from when on, so the source, it is sold no more; null: open", nullable=True
        ),
        KNOWN_AT,
        TIMELESS,
        DOMAIN,
        Column("name", "string", "name shown to people", nullable=True),
        Column("department", "string", "highest level of the catalogue", nullable=True),
        Column("category", "string", "middle level of the catalogue", nullable=True),
        Column("subcategory", "string", "lowest level of the catalogue", nullable=True),
        Column("brand", "string", "brand or maker", nullable=True),
        Column("brand_type", "string", "e.g. national or private label", nullable=True),
        Column("size", "string", "package size as the shop writes it", nullable=True),
        Column("text", "string", "text that describes the item, for encoders; lower case, trimmed", nullable=True),
    ),
    key=("item_id", "valid_from", "known_at"),
    write=Write.REPLACE,
    seen_at_once=True,
)

USERS = Table(
    layer="silver",
    name="users",
    comment="what is known of one user over one span of time, since one moment; apart from behaviour",
    columns=(
        USER_ID,
        VALID_FROM,
        VALID_TO,
        KNOWN_AT,
        TIMELESS,
        Column("age_band", "string", "age of the household's head, band", nullable=True),
        Column("income_band", "string", "yearly income, band", nullable=True),
        Column("household_size", "string", "persons, '5+' for five or more", nullable=True),
        Column("household_type", "string", "e.g. 2 adults with children", nullable=True),
        Column("children", "string", "children, '3+' for three or more", nullable=True),
        Column("marital_status", "string", "marital status", nullable=True),
        Column("home_ownership", "string", "owner, renter …", nullable=True),
        Column("country", "string", "country of residence", nullable=True),
    ),
    key=("user_id", "valid_from", "known_at"),
    write=Write.REPLACE,
    seen_at_once=True,
    may_be_empty=True,
)

PRICES = Table(
    layer="silver",
    name="prices",
    comment="the price of one item in one market over one span of time, known since one moment",
    columns=(
        ITEM_ID,
        MARKET,
        VALID_FROM,
        VALID_TO,
        KNOWN_AT,
        Column("price", MONEY, "median price paid for a unit before coupons, currency", low=0),
        Column("list_price", MONEY, "median price of a unit before any discount, currency", low=0),
    ),
    key=("item_id", "market", "valid_from", "known_at"),
    write=Write.REPLACE,
    seen_at_once=True,
    may_be_empty=True,
)

PROMOTIONS = Table(
    layer="silver",
    name="promotions",
    comment="one promotion of one item in one store or campaign over one span of time",
    columns=(
        Column("kind", "string", "in_store: display or mailer; coupon: a coupon campaign", allowed=PROMOTION_KINDS),
        ITEM_ID,
        Column("place", "string", "store (in_store) or campaign (coupon) in which the promotion ran"),
        VALID_FROM,
        VALID_TO,
        KNOWN_AT,
        Column("display", "string", "place of the display in the store; null: none", nullable=True),
        Column("mailer", "string", "place in the mailer; null: none", nullable=True),
    ),
    key=("kind", "item_id", "place", "valid_from"),
    write=Write.REPLACE,
    seen_at_once=True,
    partition=("kind",),
    slice=("kind",),
    may_be_empty=True,
)

QUARANTINE = Table(
    layer="silver",
    name="quarantine",
    comment="one row of bronze that a silver table refused, with the reason",
    columns=(
        Column("table", "string", "silver table that refused the row"),
        Column("dataset", "string", "bronze dataset that the row lies in"),
        Column("_file", "string", "file that the row was read from"),
        Column("_row", "long", "which row of the file: see bronze"),
        Column("_occurrence", "int", "which of the equal rows of its file", low=1),
        Column("_ingestion_id", "long", "ingestion that brought the row", low=1),
        Column("reason", "string", "the first rule that the row broke"),
        Column("raw", "string", "the row as read, JSON"),
    ),
    key=("table", "dataset", "_file", "_row", "_occurrence"),
    write=Write.REPLACE,
    partition=("table",),
    slice=("table",),
    may_be_empty=True,
)

RECONCILIATION = Table(
    layer="silver",
    name="reconciliation",
    comment="where the rows of a dataset went in a silver table; read = kept + refused + duplicate + passed over",
    columns=(
        Column("table", "string", "silver table"),
        Column("dataset", "string", "bronze dataset"),
        Column("read", "long", "rows read from bronze", low=0),
        Column("passed_over", "long", "rows that the shop's `where` says are not of this table", low=0),
        Column("refused", "long", "rows in quarantine", low=0),
        Column("duplicate", "long", "rows equal in key to one kept", low=0),
        Column("kept", "long", "rows that stand in the silver table", low=0),
        Column("taken_in", "long", "latest ingestion of the dataset that the table holds", low=0),
        Column("mapping", "string", "hash of mapping, lookups and code: another one makes the whole table again"),
    ),
    key=("table", "dataset"),
    write=Write.REPLACE,
    partition=("table",),
    slice=("table",),
    may_be_empty=True,
)

SILVER: tuple[Table, ...] = (INTERACTIONS, ITEMS, USERS, PRICES, PROMOTIONS, QUARANTINE, RECONCILIATION)
