"""The gate before publishing: today's ranker against the one that was published last."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from pydantic import Field

from shoprec.errors import ConfigError
from shoprec.settings import Settings


class GateConfig(Settings):
    """Settings of the gate. They decide whether a run is published, not what it is."""

    PLACE: ClassVar[frozenset[str]] = frozenset(["metric", "tolerance"])

    metric: str = Field(
        "ndcg@10", description="figure that is compared, cross-fitted by user and item on the lists of as_of - horizon"
    )
    tolerance: float = Field(0.1, ge=0, le=1, description="share of the last published figure that may be lost")


@dataclass(frozen=True)
class Verdict:
    """Whether a run may be published, and why, in words."""

    passed: bool
    reason: str


def decide(ours: Mapping[str, Any], last: Mapping[str, Any] | None, config: GateConfig) -> Verdict:
    """Hold ``ours`` against the figures of the ``last`` published run (None: there is none).

    A list below that of a single source may be published, since it still serves those whom the source does not; it is
    said.

    :param ours: the gate's metric, and ``sources``: NDCG@10 of each source alone
    :raises ConfigError: ``ours`` lacks the gate's metric
    """
    if config.metric not in ours:
        raise ConfigError(
            f"the run has no figure {config.metric!r} for the gate, but {sorted(ours)} — run recommendations before "
            "runs, or set runs.metric"
        )
    value = ours[config.metric]
    beside = _beside(value, ours.get("sources", {}))
    if last is None or config.metric not in last:
        return Verdict(True, f"{config.metric} {value:.4f}; no published run to compare with{beside}")
    floor = last[config.metric] * (1 - config.tolerance)
    words = (
        f"{config.metric} {value:.4f} against {last[config.metric]:.4f} of the published run before (floor {floor:.4f})"
        f"{beside}"
    )
    return Verdict(value >= floor, words)


def _beside(value: float, sources: Mapping[str, float]) -> str:
    above = {source: figure for source, figure in sources.items() if round(figure, 4) > round(value, 4)}
    if not above:
        return ""
    names = ", ".join(
        f"{source} alone has {above[source]:.4f}" for source in sorted(above, key=above.get, reverse=True)
    )
    return f"; warning: for the same users {names}"
