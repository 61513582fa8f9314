"""When the folder is in a hurry though nobody waits."""

from service.catalog.projector import ReaderDemand


def test_who_came_once_is_not_expected_again():
    expected = ReaderDemand()
    assert not expected.holds(0.0)
    expected.came(10.0)
    assert not expected.holds(10.0)


def test_who_came_twice_in_a_short_time_is_expected_for_as_long():
    expected = ReaderDemand()
    expected.came(10.0)
    expected.came(11.9)
    assert expected.holds(11.9)
    assert expected.holds(13.8)
    assert not expected.holds(14.0)


def test_who_comes_now_and_then_is_not_expected():
    expected = ReaderDemand()
    for now in range(0, 20, 2):
        expected.came(float(now))
        assert not expected.holds(float(now))


def test_who_goes_on_coming_goes_on_being_expected():
    expected = ReaderDemand()
    for now in range(20):
        expected.came(float(now))
        assert expected.holds(now + 0.9) == (now > 0)
