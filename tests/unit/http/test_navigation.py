"""Which Accept headers are those of a browser's navigation."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.http.navigation import prefers_html

OTHERS = ("application/json", "application/problem+json")


@pytest.mark.parametrize(
    "accept",
    [
        "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",  # Firefox
        "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",  # Chromium
        "text/html",
        "TEXT/HTML ; Q=0.5",
        "text/html, */*",
        "application/json;q=0.9, text/html",
    ],
)
def test_browsers_prefer_html(accept):
    assert prefers_html(accept)


@pytest.mark.parametrize(
    "accept",
    [
        "",
        "*/*",  # curl, and most libraries
        "text/*",
        "application/json",
        "application/json, text/html",
        "application/problem+json, text/html;q=0.9",
        "application/json, text/plain, */*",  # axios
        "text/html;q=0.5, */*",
        "text/html;q=0",
        "text/html;q=none",
        "text/html;q=nan",
        "text/html;q=2",
        "application/xhtml+xml",
    ],
)
def test_others_do_not(accept):
    assert not prefers_html(accept)


WEIGHTS = st.integers(0, 1000).map(lambda weight: weight / 1000)


@given(html=WEIGHTS, others=st.dictionaries(st.sampled_from(OTHERS), WEIGHTS), data=st.data())
def test_html_is_preferred_where_it_weighs_more_than_what_the_api_answers(html, others, data):
    types = data.draw(st.permutations([("text/html", html), *others.items()]))
    accept = ", ".join(f"{name};q={weight}" for name, weight in types)
    assert prefers_html(accept) == (html > max([0.0, *others.values()]))


@given(st.text())
def test_any_header_is_read(accept):
    assert prefers_html(accept) in {True, False}
