"""What is looked through for the sources of a configuration: read, and held against what its jobs know."""

from collections.abc import Mapping
from pathlib import Path

import yaml

from shoprec.config import Config
from shoprec.errors import ConfigError
from shoprec.resources import conf_text
from shoprec.settings import nearest
from shoprec.tuning.config import Dimension, Space, TuneConfig
from shoprec.tuning.trial import made_by

#: Source -> path of a setting -> what it may be.
Spaces = Mapping[str, Mapping[str, Dimension]]


def spaces(settings: TuneConfig, told: Config) -> Spaces:
    """Of each source that is tuned, what is looked through.

    :raises ConfigError: the file is none, a source is not in it or not in candidates.sources, or a path leads elsewhere
    """
    name = settings.space or "conf/tuning.yml"
    try:
        text = Path(settings.space).read_text(encoding="utf-8") if settings.space else conf_text("tuning.yml")
        space = Space.model_validate(yaml.safe_load(text)).root
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise ConfigError(f"tune.space={name}: {' '.join(str(error).split())}") from error
    sources = told.jobs["candidates"].sources
    for source in settings.sources:
        for known, where in ((space, "the space"), (sources, "candidates.sources")):
            if source not in known:
                raise ConfigError(f"tune.sources: {source!r} is not in {where}; {nearest(source, known)}")
    # A list without what the user bought is empty, whatever the settings, where nothing else is proposed.
    empty = [name for name, source in sources.items() if settings.list == "discovery" and not source.new]
    if asked := [name for name in settings.sources if name in empty]:
        raise ConfigError(f"tune.sources: {asked[0]} proposes what users bought before alone: set tune.list=all")
    wanted = [name for name in settings.sources or sources if name in space and name not in empty]
    if not wanted:
        raise ConfigError(f"tune: of candidates.sources, the space holds none; it holds {', '.join(space)}")
    for source in wanted:
        own = tuple(f"{one}." for one in (made_by(source, sources[source]), f"candidates.sources.{source}") if one)
        if wrong := [path for path in space[source] if not path.startswith(own)]:
            raise ConfigError(f"tune.space={name}: {wrong[0]} changes nothing of {source}: name {' or '.join(own)}…")
    return {name: space[name] for name in wanted}
