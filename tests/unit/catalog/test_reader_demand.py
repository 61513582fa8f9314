"""When the projector works at low latency although no reader waits."""

from service.catalog.reader_demand import ReaderDemand


def test_who_came_once_is_not_expected_again():
    demand = ReaderDemand()
    assert not demand.is_high(0.0)
    demand.record_request(10.0)
    assert not demand.is_high(10.0)


def test_who_came_twice_in_a_short_time_is_expected_for_as_long():
    demand = ReaderDemand()
    demand.record_request(10.0)
    demand.record_request(11.9)
    assert demand.is_high(11.9)
    assert demand.is_high(13.8)
    assert not demand.is_high(14.0)


def test_who_comes_now_and_then_is_not_expected():
    demand = ReaderDemand()
    for now in range(0, 20, 2):
        demand.record_request(float(now))
        assert not demand.is_high(float(now))


def test_who_goes_on_coming_goes_on_being_expected():
    demand = ReaderDemand()
    for now in range(20):
        demand.record_request(float(now))
        assert demand.is_high(now + 0.9) == (now > 0)
