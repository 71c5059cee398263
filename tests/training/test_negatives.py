"""The negatives' sampler against the distribution that it is told."""

import numpy as np

from shoprec.training.negatives import Sampler

CHANCES = np.array([0.5, 0.25, 0.0, 0.125, 0.125])


def sampler(seed=1):
    with np.errstate(divide="ignore"):
        return Sampler(np.log(CHANCES * 0.9).astype(np.float32), seed)


def test_draws_follow_the_chances():
    drawn = np.bincount(sampler().draw(40_000, 0), minlength=5) / 40_000
    # Five standard deviations of a share.
    assert np.all(np.abs(drawn - CHANCES) <= 5 * np.sqrt(CHANCES * (1 - CHANCES) / 40_000))


def test_a_step_has_one_draw_whoever_makes_it_and_whenever():
    one, other = sampler(), sampler()
    other.draw(100, 0)
    assert one.draw(64, 17).tolist() == other.draw(64, 17).tolist()
    assert one.draw(64, 17).tolist() != one.draw(64, 18).tolist()
    assert one.draw(64, 17).tolist() != sampler(seed=2).draw(64, 17).tolist()


def test_log_chances_are_normalised():
    assert np.allclose(np.exp(sampler().log_q), CHANCES)
