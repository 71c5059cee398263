"""A shop's YAML, typed: where its raw data is, and how the columns map onto our tables. A shop is YAML alone."""

import re
from collections.abc import Iterable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml
from pydantic import Field, ValidationError, field_validator, model_validator

from shoprec.contracts import Table
from shoprec.contracts.silver import INTERACTIONS, ITEMS, PRICES, PROMOTIONS, USERS
from shoprec.errors import ConfigError
from shoprec.intake.places import expand
from shoprec.settings import Settings, nearest

#: The silver tables that a shop maps its datasets onto.
MAPPED: Mapping[str, Table] = {table.name: table for table in (INTERACTIONS, ITEMS, USERS, PRICES, PROMOTIONS)}

#: Columns that our own code makes; a mapping may not name them.
MADE: Mapping[str, frozenset[str]] = {
    "interactions": frozenset({"event_id", "event_key", "superseded_at", "source", "month"}),
    "items": frozenset({"timeless", "ended_at"}),
    "users": frozenset({"timeless"}),
    "prices": frozenset(),
    "promotions": frozenset(),
}

#: Columns that a mapping may leave out although the table requires them.
DEFAULTED: Mapping[str, frozenset[str]] = {
    "interactions": frozenset({"known_at"}),
    "items": frozenset({"valid_from", "known_at"}),
    "users": frozenset({"valid_from", "known_at"}),
    "prices": frozenset({"known_at"}),
    "promotions": frozenset({"known_at"}),
}

_SPAN = re.compile(r"(\d+) (minute|hour|day|week)s?")
_TEXT_FORMATS = ("csv", "json")


class Dataset(Settings):
    """One raw dataset: where it is and how it is read."""

    format: Literal["csv", "json", "parquet", "simulated"] = Field(description="how the files are written")
    path: str = Field(description="file, folder or pattern, with ${VARIABLE} or ${package:name}; simulated: the table")
    options: dict[str, Any] = Field({}, description="options of Spark's reader, or of the simulator")
    columns: tuple[str, ...] = Field((), description="csv: names in the files' order (else the header's); json: fields")
    types: dict[str, str] = Field({}, description="Spark SQL types of columns that were read as text")

    @field_validator("options", mode="before")
    @classmethod
    def _variables(cls, options: Mapping[str, Any] | None) -> dict[str, Any]:
        told = (options or {}).items()
        return {k: yaml.safe_load(expand(v, f"option {k}")) if _has_variable(v) else v for k, v in told}

    @model_validator(mode="after")
    def _columns_fit_the_format(self) -> Self:
        if self.format == "json" and not self.columns:
            raise ValueError("json needs `columns`: the fields to read, all of them as text")
        if self.columns and self.format not in _TEXT_FORMATS:
            raise ValueError(f"{self.format} has columns of its own: leave `columns` out")
        return self


class Join(Settings):
    """A lookup: the row of another dataset with equal ``by`` columns, or nulls. It never adds or removes rows."""

    dataset: str = Field(description="dataset to look up; of rows with equal `by` the one delivered last counts")
    by: tuple[str, ...] = Field(min_length=1, description="columns that both have")


class TableMapping(Settings):
    """How the rows of one dataset become rows of one of our tables."""

    dataset: str = Field(description="dataset to read")
    join: tuple[Join, ...] = Field((), description="lookups in other datasets")
    where: str | None = Field(None, description="SQL condition: other rows are passed over, they are not of this table")
    columns: dict[str, str] = Field(description="our column: Spark SQL expression over the dataset's columns")
    refuse: dict[str, str] = Field({}, description="reason: SQL condition under which a row goes to quarantine")
    known_after: timedelta = Field(timedelta(), description="lag from event to knowledge where no arrival is recorded")
    event_key: tuple[str, ...] = Field((), description="interactions: expressions that identify an event; else all")

    @field_validator("columns", "refuse", mode="before")
    @classmethod
    def _as_text(cls, expressions: Mapping[str, Any] | None) -> dict[str, str]:
        return {name: str(expression) for name, expression in (expressions or {}).items()}

    @field_validator("known_after", mode="before")
    @classmethod
    def _span(cls, value: Any) -> Any:
        return span(value) if isinstance(value, str) and not value.startswith("P") else value

    @property
    def expressions(self) -> tuple[str, ...]:
        """Every SQL text of the mapping."""
        return (*([self.where] if self.where else []), *self.columns.values(), *self.refuse.values(), *self.event_key)


class Tables(Settings):
    """Which datasets feed which of our tables."""

    interactions: tuple[TableMapping, ...] = Field(min_length=1, description="events of users with items")
    items: tuple[TableMapping, ...] = Field(min_length=1, description="the catalogue")
    users: tuple[TableMapping, ...] = Field((), description="what is known of users apart from behaviour")
    prices: tuple[TableMapping, ...] = Field((), description="price lists; without them prices come from the purchases")
    promotions: tuple[TableMapping, ...] = Field((), description="displays, mailers and coupon campaigns")


class Shop(Settings):
    """One shop: ``conf/shops/<name>.yml``."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$", description="the shop, as file and run names carry it")
    about: str = Field("", description="what the shop is and where its data comes from")
    currency: str = Field(pattern=r"^[A-Z]{3}$", description="ISO 4217 code of all money")
    time_zone: str = Field("UTC", description="IANA zone in which the shop's days and weeks begin")
    datasets: dict[str, Dataset] = Field(min_length=1, description="raw datasets by name")
    tables: Tables = Field(description="how datasets become tables")
    price_known_after: timedelta = Field(timedelta(), description="prices from purchases: lag after their week's end")
    settings: dict[str, dict[str, Any]] = Field({}, description="settings that fit this shop: {job: {name: value}}")

    @field_validator("price_known_after", mode="before")
    @classmethod
    def _span(cls, value: Any) -> Any:
        return span(value) if isinstance(value, str) and not value.startswith("P") else value

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError(f"{value!r} is no IANA time zone, such as Europe/London") from error
        return value

    @field_validator("datasets")
    @classmethod
    def _plain_names(cls, datasets: dict[str, Dataset]) -> dict[str, Dataset]:
        odd = [name for name in datasets if not re.fullmatch(r"[a-z][a-z0-9_]*", name)]
        if odd:
            raise ValueError(f"dataset names {odd} become table names: use lower-case letters, digits and _")
        return datasets

    @model_validator(mode="after")
    def _mappings_fit(self) -> Self:
        for table in MAPPED.values():
            mappings = getattr(self.tables, table.name)
            twice = sorted({m.dataset for m in mappings if sum(m.dataset == n.dataset for n in mappings) > 1})
            if twice:
                raise ValueError(f"tables.{table.name} maps {twice} more than once: use one mapping with CASE")
            for mapping in mappings:
                _check(mapping, table, self.datasets)
        return self

    def mappings(self, table: Table) -> tuple[TableMapping, ...]:
        """The mappings that feed ``table``; empty when the shop has no data for it."""
        return getattr(self.tables, table.name)


def _check(mapping: TableMapping, table: Table, datasets: Mapping[str, Dataset]) -> None:
    where = f"tables.{table.name} of dataset {mapping.dataset}"
    for name in (mapping.dataset, *(join.dataset for join in mapping.join)):
        if name not in datasets:
            raise ValueError(f"{where}: there is no dataset {name!r}; {nearest(name, datasets)}")
    open_to_shops = set(table.names) - MADE[table.name]
    for name in mapping.columns:
        if name not in open_to_shops:
            raise ValueError(f"{where}: {name!r} is no column to map; {nearest(name, open_to_shops)}")
    required = {c.name for c in table.columns if not c.nullable} - MADE[table.name] - DEFAULTED[table.name]
    missing = sorted(required - set(mapping.columns))
    if missing:
        raise ValueError(f"{where}: columns {missing} must be mapped")
    if mapping.event_key and table is not INTERACTIONS:
        raise ValueError(f"{where}: event_key belongs to interactions; rows of {table.name} have the key {table.key}")


def span(text: str) -> timedelta:
    """A length of time from words: '90 minutes', '6 hours', '2 days', '1 week'.

    :raises ValueError: the text is none
    """
    match = _SPAN.fullmatch(text.strip())
    if not match:
        raise ValueError(f"{text!r} is no length of time; write '90 minutes', '6 hours', '2 days' or '1 week'")
    return timedelta(**{f"{match[2]}s": int(match[1])})


def _has_variable(value: Any) -> bool:
    return isinstance(value, str) and "${" in value


def load_shop(text_or_path: str | Path) -> Shop:
    """The shop that a YAML text, or the file at a path, describes.

    :raises ConfigError: it cannot be read, is no YAML, or something in it is unknown or wrong
    """
    text = str(text_or_path)
    if isinstance(text_or_path, Path) or "\n" not in text:
        try:
            text = Path(text_or_path).read_text(encoding="utf-8")
        except OSError as error:
            raise ConfigError(f"cannot read the shop {text_or_path}: {error.strerror}") from error
    try:
        told = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"the shop is not valid YAML: {error}") from error
    if not isinstance(told, dict):
        raise ConfigError("the shop's YAML must hold keys and values at its top, such as `name: …`")
    try:
        return Shop(**told)
    except ValidationError as error:
        raise ConfigError(_words(error, told.get("name", "without a name"))) from error


def _words(error: ValidationError, shop: Any) -> str:
    # A misspelt key makes the right one missing as well: the misspelling is what to tell.
    first = next((e for e in error.errors() if e["type"] == "extra_forbidden"), error.errors()[0])
    place = [str(part) for part in first["loc"]]
    if first["type"] == "extra_forbidden":
        return f"shop {shop}: there is no key {'.'.join(place)!r}; {nearest(place[-1], _known_beside(place))}"
    return f"shop {shop}: {'.'.join(place) or 'values'}: {first['msg'].removeprefix('Value error, ')}"


def _known_beside(place: list[str]) -> Iterable[str]:
    if len(place) == 1:
        return Shop.model_fields
    if place[0] == "datasets":
        return Dataset.model_fields
    if len(place) == 2:
        return Tables.model_fields
    return Join.model_fields if "join" in place else TableMapping.model_fields
