"""The addresses of the service: which paths are base paths, and whose headers count."""

import pytest
from aiohttp.test_utils import make_mocked_request
from hypothesis import given
from hypothesis import strategies as st

from service.http.addresses import Addresses, parse_base_path, parse_networks

PROXY = "10.1.2.3"


def request(remote=PROXY, **headers):
    sent = [(f"X-Forwarded-{name}", value) for name, values in headers.items() for value in values]
    return make_mocked_request("GET", "/", headers=sent).clone(remote=remote)


@pytest.mark.parametrize(
    ("text", "path"), [("", ""), ("/", ""), ("/a", "/a"), ("/a/", "/a"), ("/a-b/c.d_~9", "/a-b/c.d_~9")]
)
def test_a_base_path_has_no_slash_at_its_end(text, path):
    assert parse_base_path(text) == path


@pytest.mark.parametrize(
    "text",
    [
        "a",
        "//a",
        "/a//b",
        "/a//",
        "/.",
        "/..",
        "/a/../b",
        "/a/.",
        "/%41",
        "/a b",
        "/ä",
        "/a?b",
        "/a\n",
        "/<b>",
        "/" + "x" * 300,
    ],
)
def test_what_is_no_base_path_is_refused(text):
    with pytest.raises(ValueError, match="must be a path such as /runfold"):
        parse_base_path(text)


@pytest.mark.parametrize("text", ["x", "10.0.0.0/33", "10.0.0.0/8;::1", "*"])
def test_what_is_no_network_is_refused(text):
    with pytest.raises(ValueError, match="does not appear to be"):
        parse_networks(text)


@pytest.mark.parametrize(
    ("trusted", "remote", "is_trusted"),
    [
        ("", PROXY, False),
        ("10.0.0.0/8", PROXY, True),
        ("10.1.2.4", PROXY, False),
        (" 192.168.0.1 , 10.1.2.3 ", PROXY, True),
        ("10.0.0.0/8", "::ffff:10.1.2.3", True),
        ("fd00::/8", "fd00::7%eth0", True),
        ("fd00::/8", PROXY, False),
        ("0.0.0.0/0,::/0", None, False),
    ],
)
def test_headers_count_from_trusted_proxies_only(trusted, remote, is_trusted):
    addresses = Addresses("/own", trusted)
    asked = request(remote, Proto=["https"], Host=["runfold.example"], Prefix=["/below"])
    expected = ("/below", "https://runfold.example") if is_trusted else ("/own", None)
    assert (addresses.prefix(asked), addresses.origin(asked)) == expected


@pytest.mark.parametrize(
    ("headers", "prefix", "origin"),
    [
        ({}, "/own", None),
        ({"Host": ["a.test:8443"]}, "/own", "http://a.test:8443"),
        ({"Host": ["evil.test, a.test"], "Proto": ["http, https"]}, "/own", "https://a.test"),
        ({"Host": ["evil.test", "a.test"], "Prefix": ["/evil", "/x/"]}, "/x", "http://a.test"),
        ({"Host": ["[fd00::1]:80"], "Proto": ["ftp"]}, "/own", "http://[fd00::1]:80"),
        ({"Proto": ["https"], "Prefix": ["/"]}, "", None),
        ({"Host": ["a.test"], "Prefix": ["javascript:alert(1)"]}, "/own", "http://a.test"),
        ({"Host": ['a"><script>'], "Prefix": ['/"><script>']}, "/own", None),
        ({"Host": ["a.test,"], "Prefix": [""]}, "", None),
    ],
)
def test_the_last_value_counts_where_it_is_well_formed(headers, prefix, origin):
    addresses = Addresses("/own", "10.0.0.0/8")
    asked = request(**headers)
    assert (addresses.prefix(asked), addresses.origin(asked)) == (prefix, origin)


hosts = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=300)


@given(hosts, hosts)
def test_whatever_a_proxy_sends_is_safe_in_a_page_a_header_and_a_shell_command(host, prefix):
    addresses = Addresses("", "10.0.0.0/8")
    asked = request(Host=[host], Prefix=[prefix])
    text = f"{addresses.origin(asked) or ''}{addresses.prefix(asked)}"
    assert not set(text) & set("\"'<>&\\$` \r\n?#@%")
