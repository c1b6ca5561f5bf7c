import pytest

from media.ports import QUARANTINE_S, PortPool


def test_hands_out_every_even_port_once() -> None:
    pool = PortPool(20000, 20009)
    ports = [pool.take(0.0) for _ in range(5)]
    assert sorted(ports) == [20000, 20002, 20004, 20006, 20008]
    assert pool.take(0.0) is None


@pytest.mark.parametrize(
    ("first", "last", "count"), [(20001, 20004, 1), (20000, 20000, 0), (20000, 20001, 1)]
)
def test_the_odd_port_above_must_be_in_the_range(first: int, last: int, count: int) -> None:
    if count:
        assert PortPool(first, last).available == count
    else:
        with pytest.raises(ValueError, match=f"{first}-{last}"):
            PortPool(first, last)


def test_a_port_given_back_rests_while_there_are_others() -> None:
    pool = PortPool(20000, 20003)
    first = pool.take(0.0)
    assert first is not None
    pool.give_back(first, 0.0)
    second = pool.take(0.1)
    assert second not in (None, first)
    assert pool.take(QUARANTINE_S) == first


def test_the_rest_is_cut_short_when_no_other_port_is_left() -> None:
    pool = PortPool(20000, 20003)
    one, two = pool.take(0.0), pool.take(0.0)
    assert one is not None
    assert two is not None
    pool.give_back(two, 0.0)
    pool.give_back(one, 0.1)
    assert [pool.take(0.2), pool.take(0.2), pool.take(0.2)] == [two, one, None]
