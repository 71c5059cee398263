"""How a feature says which columns it needs and gives, so that both are held to."""

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import ParamSpec

from pyspark.sql import DataFrame

P = ParamSpec("P")


def feature(
    needs: Mapping[str, tuple[str, ...]], gives: tuple[str, ...]
) -> Callable[[Callable[P, DataFrame]], Callable[P, DataFrame]]:
    """Narrow each DataFrame parameter named in ``needs`` to those columns, and the result to ``gives``.

    A feature thus cannot read a column that it did not declare, nor leave one out that it promised: Spark raises
    AnalysisException for either. The declaration stands on the function as ``needs`` and ``gives``.
    """

    def declared(function: Callable[P, DataFrame]) -> Callable[P, DataFrame]:
        signature = inspect.signature(function)

        @functools.wraps(function)
        def narrowed(*args: P.args, **kwargs: P.kwargs) -> DataFrame:
            bound = signature.bind(*args, **kwargs)
            for name, columns in needs.items():
                bound.arguments[name] = bound.arguments[name].select(*columns)
            return function(*bound.args, **bound.kwargs).select(*gives)

        narrowed.needs, narrowed.gives = dict(needs), gives
        return narrowed

    return declared
