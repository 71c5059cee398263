"""Places named in a shop's YAML: variables of the environment and folders of installed packages."""

import importlib.util
import os
import re

from shoprec.errors import ConfigError

_REFERENCE = re.compile(r"\$\{(?:(package):)?(\w+)(?::-([^}]*))?\}")


def expand(text: str, what: str) -> str:
    """``text`` with ``${NAME}``, ``${NAME:-default}`` and ``${package:name}`` replaced.

    A package's folder is found without importing the package.

    :param what: what the text is, for the message
    :raises ConfigError: a variable is not set and has no default, or a package is not installed
    """

    def value(match: re.Match[str]) -> str:
        package, name, default = match.groups()
        return _package_folder(name, what) if package else _variable(name, default, what)

    return _REFERENCE.sub(value, text)


def _variable(name: str, default: str | None, what: str) -> str:
    found = os.environ.get(name, default)
    if found is None:
        raise ConfigError(f"{what}: the variable {name} is not set — export {name}=<where the raw data is>")
    return found


def _package_folder(name: str, what: str) -> str:
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise ConfigError(f"{what}: the package {name} is not installed — install it into this environment")
    return next(iter(spec.submodule_search_locations))
