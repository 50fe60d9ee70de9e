"""Every part of a run has random numbers of its own, which its name and the seed give."""

from cineseq.statistics.streams import child_seed, stream


def test_a_name_has_its_own_numbers_whatever_was_drawn_before() -> None:
    first = stream(1, "within", "expression").integers(0, 2**40)
    stream(1, "pooled").random(100)
    assert stream(1, "within", "expression").integers(0, 2**40) == first
    others = [stream(2, "within", "expression"), stream(1, "expression", "within"), stream(1, "within")]
    assert first not in [rng.integers(0, 2**40) for rng in others]


def test_seeds_of_names_are_fixed_and_differ() -> None:
    assert child_seed(1, "uptake") == 2876004433
    names = [str(k) for k in range(500)]
    assert len({child_seed(seed, name) for seed in (0, 1) for name in names}) == 1000
    assert all(0 <= child_seed(1, name) < 2**32 for name in names)
