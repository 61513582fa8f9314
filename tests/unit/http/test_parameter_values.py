"""Parameters: what is read is what the schema says, and only what the route declares."""

from datetime import UTC, datetime
from uuid import UUID

import pytest
from aiohttp.test_utils import make_mocked_request
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from service.auth.keys import Scope
from service.errors import Invalid, Malformed
from service.http import parameters
from service.http.parameters import AT, IDEMPOTENCY_KEY, LIMIT, OFFSET, PAGE_LIMIT, STALE
from service.http.route import CONTEXT, Context, Reach, Route, Tag, parameters_of
from service.http.routes import ROUTES
from service.payloads.run_ids import run_uuid

KIND = parameters.choice("kind", "A kind.", ("run", "job"))
ORDER = parameters.choice("order", "An order.", ("desc", "asc"), "desc")
STATES = parameters.run_states("state", "States.")
NAME = parameters.text("name", "A name.")
ID = parameters.run_reference("id", "The id of a run.")
TIME = parameters.time("time", "A time.")
FIRST = parameters.optional_integer("first", "The first.", 1, 100)
ALL = (KIND, ORDER, STATES, NAME, ID, TIME, FIRST, AT, LIMIT, OFFSET, STALE, IDEMPOTENCY_KEY)
RUN = "870492da-ecfb-4be0-91b9-9a89ddd3db90"


async def handle(_request):
    raise NotImplementedError


def route(*declared):
    return Route(
        method="GET",
        path="/x",
        handler=handle,
        scope=Scope.OPEN,
        reach=Reach.NO_DATA,
        tag=Tag.SERVICE,
        summary="",
        answers={},
        parameters=declared,
    )


def read(parameter, query="", *, declared=ALL, headers=None):
    request = make_mocked_request("GET", f"/x?{query}", headers=headers or {})
    request[CONTEXT] = Context(route(*declared))
    return parameters_of(request)[parameter]


@pytest.mark.parametrize(
    ("parameter", "query", "value"),
    [
        (KIND, "kind=job", "job"),
        (KIND, "kind=RUN", "run"),
        (ORDER, "", "desc"),
        (STATES, "", None),
        (STATES, "state=NEW,FAILED&state=NEW", ("NEW", "FAILED")),
        (NAME, "name=", ""),
        (NAME, "name=a%20b", "a b"),
        (ID, f"id={RUN.upper()}", UUID(RUN)),
        (ID, "id=a%2Fb", run_uuid("a/b")),
        (TIME, "time=2024-01-01T00:00:00Z", datetime(2024, 1, 1, tzinfo=UTC)),
        (TIME, "time=2999-01-01T00:00:00Z", datetime(2999, 1, 1, tzinfo=UTC)),
        (FIRST, "", None),
        (FIRST, "first=100", 100),
        (LIMIT, "", 100),
        (LIMIT, "limit=0", 0),
        (STALE, "", False),
        (STALE, "stale=true", True),
        (STALE, "stale=false", False),
    ],
)
def test_a_value_is_read(parameter, query, value):
    assert read(parameter, query) == value


@pytest.mark.parametrize(
    ("parameter", "query"),
    [
        (KIND, ""),
        (KIND, "kind="),
        (KIND, "kind=dataset"),
        (STATES, "state="),
        (STATES, "state=NEW,"),
        (NAME, "name=%00"),
        (ID, "id="),
        (ID, "id=%00"),
        (KIND, "kind=Run"),
        (TIME, "time=noon"),
        (FIRST, "first=0"),
        (FIRST, "first=101"),
        (LIMIT, "limit=1e3"),
        (LIMIT, "limit=1&limit=1"),
        (STALE, "stale=1"),
        (AT, "at=yesterday"),
    ],
)
def test_what_cannot_be_read_is_malformed_and_named(parameter, query):
    with pytest.raises(Malformed, match=parameter.name):
        read(parameter, query)


def test_a_lone_surrogate_is_malformed():
    with pytest.raises(Malformed, match="name"):
        NAME.decode(["\ud800"])


def test_the_time_of_an_event_far_ahead_is_invalid():
    with pytest.raises(Invalid, match="24 hours ahead"):
        read(AT, "at=2999-01-01T00:00:00Z")


@pytest.mark.parametrize(("headers", "value"), [({}, None), ({"Idempotency-Key": "k"}, "k")])
def test_a_header_is_read_like_a_parameter_of_the_query(headers, value):
    assert read(IDEMPOTENCY_KEY, "Idempotency-Key=other", headers=headers) == value


def test_to_read_a_parameter_that_the_route_does_not_declare_is_an_error_of_the_program():
    with pytest.raises(LookupError, match="GET /x does not declare parameter limit"):
        read(LIMIT, declared=(PAGE_LIMIT, OFFSET))


@pytest.mark.parametrize("parameter", [LIMIT, PAGE_LIMIT, OFFSET, FIRST], ids=lambda parameter: parameter.name)
@given(number=st.integers() | st.integers(-2, 101) | st.integers(999, 10_001))
def test_a_number_is_taken_where_the_schema_takes_it(parameter, number):
    try:
        Draft202012Validator(dict(parameter.schema)).validate(number)
    except ValidationError:
        with pytest.raises(Malformed):
            parameter.decode([str(number)])
    else:
        assert parameter.decode([str(number)]) == number


@pytest.mark.parametrize(
    "parameter",
    dict.fromkeys(parameter for each in ROUTES for parameter in each.parameters if "default" in parameter.schema),
    ids=lambda parameter: parameter.name,
)
def test_the_default_of_a_schema_is_the_value_that_is_read_without_one(parameter):
    shown = parameter.schema["default"]
    text = str(shown).lower() if isinstance(shown, bool) else str(shown)
    assert parameter.decode([text]) == parameter.default
    Draft202012Validator(dict(parameter.schema)).validate(shown)


@pytest.mark.parametrize("each", ROUTES, ids=lambda each: f"{each.method} {each.path}")
def test_no_two_parameters_of_a_route_have_one_name(each):
    names = [*each.path_parameters, *(parameter.name for parameter in each.parameters)]
    assert len(names) == len(set(names))
