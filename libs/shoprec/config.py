"""What a run is told: the graph (conf/pipeline.yml), the environment (conf/env), the shop, and --set, in that order."""

import hashlib
import json
import os
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field, ValidationError, field_validator

from shoprec import resources
from shoprec.errors import ConfigError
from shoprec.exports.files import read
from shoprec.graph import Graph
from shoprec.intake.shop import Shop, load_shop
from shoprec.places import absolute
from shoprec.settings import Settings, nearest


class Env(Settings):
    """conf/env/<env>.yml: where things are and how large they may be."""

    tables: str = Field(description="folder on any store that Spark reaches, or catalog.schema")
    files: str = Field(description="URI of snapshots, models and exports")
    memory_gib: float = Field(0, ge=0, description="GiB that must be free on the driver's machine before a run starts")
    parallel_jobs: int = Field(2, ge=1, le=16, description="jobs of a pipeline that run at a time in its session")
    spark: dict[str, str] = Field({}, description="Spark settings")

    @field_validator("spark", mode="before")
    @classmethod
    def _as_text(cls, value: Mapping[str, Any]) -> dict[str, str]:
        return {k: str(v).lower() if isinstance(v, bool) else str(v) for k, v in (value or {}).items()}


@dataclass(frozen=True)
class Config:
    """Everything that a run is told, typed."""

    env: Env
    shop: Shop
    graph: Graph
    horizon: int
    seed: int
    jobs: Mapping[str, Settings]

    @property
    def digest(self) -> str:
        """SHA-256 of all that decides what a run makes: shop, settings and code; not where it is put."""
        told = {
            "shop": self.shop.model_dump(mode="json"),
            "horizon": self.horizon,
            "seed": self.seed,
            "graph": self.graph.model_dump(mode="json"),
            "jobs": {name: self.decisive(name) for name in sorted(self.jobs)},
            "code": resources.code_digest(),
        }
        return _sha256(told)

    def decisive(self, job: str) -> dict[str, Any]:
        """The settings of ``job`` that decide what it makes."""
        settings = self.jobs.get(job)
        return settings.model_dump(mode="json", exclude=settings.PLACE | settings.TARGET) if settings else {}

    def job_digest(self, job: str) -> str:
        """SHA-256 of all that decides what ``job`` does in a run: the run's, and where the job puts what it makes."""
        settings = self.jobs.get(job)
        target = settings.model_dump(mode="json", include=settings.TARGET) if settings else {}
        return _sha256({"run": self.digest, "target": target})

    def run_id(self, as_of: date) -> str:
        """The run's default name: the same date, shop, settings and code give the same, so a restart goes on."""
        return f"{as_of}-{self.shop.name}-{self.digest[:8]}"

    def date_at(self, as_of: date, horizons: int) -> date:
        """The date ``horizons`` horizons from ``as_of``."""
        return as_of + timedelta(days=self.horizon * horizons)


def _sha256(told: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(told, sort_keys=True, default=str).encode()).hexdigest()


@cache
def load_graph() -> Graph:
    """The graph of conf/pipeline.yml."""
    return _typed(Graph, yaml.safe_load(resources.conf_text("pipeline.yml")), "conf/pipeline.yml")


def load(env: str, shop: str, settings: Iterable[str], job_settings: Mapping[str, type[Settings]]) -> Config:
    """Put together what a run is told.

    :param env: name of a file in conf/env, or a path to a YAML file
    :param shop: name of a file in conf/shops, or a path to a YAML file
    :param settings: ``key=value`` of --set, keys being ``tables``, ``files``, ``memory_gib``, ``spark.…``, ``horizon``,
        ``seed`` and ``<job>.<setting>``; or ``@file``, YAML of {job: {setting: value}}
    :param job_settings: the settings class of each job
    :raises ConfigError: anything is unknown or wrong, with the nearest known name
    """
    graph, told = load_graph(), _pairs(settings)
    parsed_shop = load_shop(_text("shops", shop))
    env_values = _yaml(_text("env", env), f"conf/env/{env}") or {}
    env_values = {k: _expand(v, k) if isinstance(v, str) and k not in told else v for k, v in env_values.items()}
    for key in list(told):
        if key in Env.model_fields and key != "spark":
            env_values[key] = told.pop(key)
        elif key.startswith("spark."):
            env_values["spark"] = {**env_values.get("spark", {}), key: told.pop(key)}
    horizon, seed = told.pop("horizon", graph.horizon), told.pop("seed", graph.seed)
    checked = _typed(Graph, {**graph.model_dump(), "horizon": horizon, "seed": seed}, "--set")
    jobs = _job_settings(graph, parsed_shop, told, job_settings)
    return Config(_typed(Env, env_values, f"conf/env/{env}"), parsed_shop, graph, checked.horizon, checked.seed, jobs)


def _job_settings(
    graph: Graph, shop: Shop, told: Mapping[str, Any], classes: Mapping[str, type[Settings]]
) -> dict[str, Settings]:
    known = [f"{job}.{name}" for job, model in classes.items() for name in model.model_fields]
    for key in told:
        if key not in known:
            raise ConfigError(f"--set {key}: there is no such setting; {_hint(key, known)}")
    unknown = set(shop.settings) - set(classes)
    if unknown:
        raise ConfigError(f"shop {shop.name}: settings of unknown jobs {sorted(unknown)}; known: {sorted(classes)}")
    typed = {}
    for job, model in classes.items():
        own = {k.partition(".")[2]: v for k, v in told.items() if k.startswith(f"{job}.")}
        values = {**graph.entry(job).settings, **shop.settings.get(job, {}), **own}
        typed[job] = _typed(model, values, f"settings of job {job}")
    return typed


def _hint(key: str, known: Collection[str]) -> str:
    group, _, name = key.rpartition(".")
    if group in known:
        return f"write --set '{group}={{{name}: …}}'"
    if key == "spark":
        return "give each of Spark's by its own name: --set spark.driver.memory=…"
    return nearest(key, [*known, "horizon", "seed", *(name for name in Env.model_fields if name != "spark")])


def _text(folder: str, name: str) -> str:
    if name.endswith((".yml", ".yaml")):
        try:
            return Path(name).read_text(encoding="utf-8")
        except OSError as error:
            raise ConfigError(
                f"cannot read {name}: {error.strerror} — give a file, or a name in conf/{folder}"
            ) from error
    return resources.conf_text(f"{folder}/{name}.yml")


def _expand(value: str, key: str) -> str:
    def variable(match: re.Match[str]) -> str:
        name = match.group(1)
        if name not in os.environ:
            raise ConfigError(f"{key}: the variable {name} is not set — export it, or give --set {key}=…")
        return os.environ[name]

    return re.sub(r"\$\{(\w+)\}", variable, value)


def _pairs(settings: Iterable[str]) -> dict[str, Any]:
    pairs = {}
    for text in settings:
        if text.startswith("@"):
            pairs |= _of_file(text[1:])
            continue
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise ConfigError(f"--set {text!r} is not key=value")
        pairs[key] = _yaml(value, f"--set {key}")
    return pairs


def _of_file(name: str) -> dict[str, Any]:
    """Of a YAML file {job: {setting: value}}, as tune writes it, what --set would say one by one."""
    try:
        content = read(absolute(name))
    except OSError as error:
        raise ConfigError(f"--set @{name}: cannot read it: {error}") from error
    if content is None:
        raise ConfigError(f"--set @{name}: there is no such file")
    told = _yaml(content.decode(), name) or {}
    if not isinstance(told, dict) or not all(isinstance(values, dict) for values in told.values()):
        raise ConfigError(f"--set @{name}: a file of settings is {{job: {{setting: value}}}}")
    return {f"{job}.{setting}": value for job, values in told.items() for setting, value in values.items()}


def _yaml(text: str, where: str) -> Any:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(
            f"{where} is not YAML: {' '.join(str(error).split())} (given: {text.strip()[:80]!r})"
        ) from error


def _typed(model: type[Settings], values: Mapping[str, Any], where: str) -> Any:
    try:
        return model(**values)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden":
            *path, wrong = first["loc"]
            hint = nearest(str(wrong), _inside(model, path).model_fields)
            raise ConfigError(f"{where}: there is no {name!r}; {hint}") from error
        raise ConfigError(f"{where}: {name or 'values'}: {first['msg']} (given: {first.get('input')!r})") from error


def _inside(model: type[Settings], path: Iterable[str | int]) -> type[Settings]:
    """The model at ``path`` of fields; where they lead through a mapping or list, the one that holds it."""
    for part in path:
        kind = model.model_fields[part].annotation if part in model.model_fields else None
        if not (isinstance(kind, type) and issubclass(kind, Settings)):
            break
        model = kind
    return model
