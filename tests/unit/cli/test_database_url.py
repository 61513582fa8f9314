"""Database URLs that a driver would misread are refused, and nothing of them is repeated."""

import pytest

from service.cli.database_url import check_database_url

SECRET = "s3cret"


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:secret@host/db",
        "postgres://me:se:cr%2Fet@host:5432/db",
        "postgresql://me@/db?host=/tmp&port=5432",
        "postgresql:///db?user=me",
        "postgresql://me@h1:1,h2:65535/db?target_session_attrs=primary",
        "postgresql://me@[::1]:5432/db",
        "postgresql://me@host:/db",
        "postgresql://me@host/db?options=a%40b",
        "postgresql://host/db?password=a@b&user=me",
    ],
)
def test_a_url_that_a_driver_can_read_is_used(url):
    assert check_database_url(url) is None


@pytest.mark.parametrize("character", "/@#? \t\n[")
def test_a_password_that_is_not_encoded_is_refused_and_not_repeated(character):
    for rest in ("host/db", "host:5432/db?sslmode=disable", "host"):
        wrong = check_database_url(f"postgresql://me:{SECRET}{character}{SECRET}@{rest}")
        assert "must be percent-encoded" in wrong
        assert SECRET not in wrong


@pytest.mark.parametrize("port", [SECRET, "0", "65536", "99999999", "-1", "1,h:x", "\N{ARABIC-INDIC DIGIT ONE}"])
def test_a_port_that_is_none_is_refused_and_not_repeated(port):
    for url in (f"postgresql://me@host:{port}/db", f"postgresql://me@/db?host=h&port={port.replace('h:', '')}"):
        wrong = check_database_url(url)
        assert "its port is not a number from 1 to 65535" in wrong
        assert SECRET not in wrong


@pytest.mark.parametrize("url", ["postgresql:/host", "mysql://host", "host", "postgresql"])
def test_another_scheme_is_refused(url):
    assert "must begin with postgresql://" in check_database_url(url)
