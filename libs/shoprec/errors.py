"""Refusals: every one says what, where, how many, and what to do; its class decides the exit code."""


class ShoprecError(Exception):
    """Anything that went wrong and that the user can act on. Exit code 1."""

    exit_code = 1


class ConfigError(ShoprecError):
    """Arguments, settings, a shop's YAML or the environment are wrong. Exit code 2."""

    exit_code = 2


class ContractBroken(ShoprecError):
    """Data does not hold what its contract says. Exit code 3."""

    exit_code = 3


class PublishConflict(ShoprecError):
    """Another run was published, or another export was put, first. Exit code 1."""


def first_line(error: BaseException) -> str:
    """The first line of an error's message: Spark's messages carry whole plans and stack traces."""
    text = str(getattr(error, "java_exception", error))
    return (text.strip() or type(error).__name__).splitlines()[0]
