"""No password of a connection URL is shown, whatever it is made of."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.connection_urls import HIDDEN, hide_passwords

SHOWN = {
    "postgresql://user:secret@db.example/dw": "postgresql://user:***@db.example/dw",
    "jdbc:postgresql://db.example:5432/dw": "jdbc:postgresql://db.example:5432/dw",
    "jdbc:mysql://root:pw@db:3306/dw?useSSL=false": "jdbc:mysql://root:***@db:3306/dw?useSSL=false",
    "jdbc:postgresql://db/dw?user=u&password=s3cret&ssl=true": "jdbc:postgresql://db/dw?user=u&password=***&ssl=true",
    "jdbc:sqlserver://db:1433;user=sa;password={a;b}}c};encrypt=true": (
        "jdbc:sqlserver://db:1433;user=sa;password=***;encrypt=true"
    ),
    "jdbc:oracle:thin:scott/tiger@db:1521:orcl": "jdbc:oracle:thin:scott/***@db:1521:orcl",
    "jdbc:oracle:thin:scott/tiger@//db:1521/orcl": "jdbc:oracle:thin:scott/***@//db:1521/orcl",
    "jdbc:oracle:thin:@//db:1521/orcl": "jdbc:oracle:thin:@//db:1521/orcl",
    "postgresql://user@db:5432/dw": "postgresql://user@db:5432/dw",
    "https://host/x?sig=1&sharedAccessSignature=abc&API_KEY=k": (
        "https://host/x?sig=***&sharedAccessSignature=***&API_KEY=***"
    ),
    "host=db user=u password=hidden dbname=dw": "host=db user=u password=*** dbname=dw",
    "https://host/x?p%61ssword=abc": "https://host/x?p%61ssword=***",
    "postgresql://me%3Ahidden@db/dw": "postgresql://me%3A***@db/dw",
    "postgresql%3A%2F%2Fme%3Ahidden%40db": "postgresql://me:***@db",
    "postgresql://db/dw?x=y%26password%3Dhidden": "postgresql://db/dw?x=y&password=***",
    "jdbc:mysql://(host=db,user=me,password=hidden)/dw": "jdbc:mysql://(host=db,user=me,password=***)/dw",
    "jdbc:mysql://address=(host=db)(password=hidden)/dw": "jdbc:mysql://address=(host=db)(password=***)/dw",
    "jdbc:oracle:thin:@(DESCRIPTION=(PASSWORD=hidden)(HOST=x))": (
        "jdbc:oracle:thin:@(DESCRIPTION=(PASSWORD=***)(HOST=x))"
    ),
    "jdbc:teradata://db/USER=me,PASSWORD=hidden": "jdbc:teradata://db/USER=me,PASSWORD=***",
    "jdbc:sqlserver://db; password = hidden ; a=1": "jdbc:sqlserver://db; password = ***; a=1",
    "jdbc:postgresql://db/dw?password=a;hidden&ssl=true": "jdbc:postgresql://db/dw?password=***&ssl=true",
    "postgresql://db/dw?password=a#hidden": "postgresql://db/dw?password=***",
    "host=db password = 'a \\' hidden' dbname=dw": "host=db password = *** dbname=dw",
    'Server=db;Password="a;hidden";Timeout=3': "Server=db;Password=***;Timeout=3",
    "AccountName=x;AccountKey=hidden;EndpointSuffix=core": "AccountName=x;AccountKey=***;EndpointSuffix=core",
    'kafka://b?sasl.jaas.config=Module%20required%20password%3D"hidden"': "kafka://b?sasl.jaas.config=***",
    "x" * 8_193: "***",
    "s3://bucket/a@b": "s3://bucket/a@b",
    "kafka://broker.example:9092": "kafka://broker.example:9092",
    "x": "x",
    "": "",
}


@pytest.mark.parametrize("url", SHOWN)
def test_a_url_is_shown_without_its_password(url):
    assert hide_passwords(url) == SHOWN[url]


@given(st.text(min_size=1).map(lambda text: f"S3cret{text}S3cret"), st.sampled_from(["", "jdbc:", "x+"]))
def test_no_password_before_a_host_is_shown_even_if_it_is_not_encoded(password, prefix):
    for url in (
        f"{prefix}postgresql://user:{password}@db:5432/dw?ssl=1",
        f"jdbc:oracle:thin:user/{password}@db:1521:x",
    ):
        shown = hide_passwords(url)
        assert "S3cret" not in shown
        assert HIDDEN in shown


@given(
    st.sampled_from(["password", "PASSWORD", "pwd", "user_passwd", "client.secret", "accessToken", "apikey"]),
    st.text(st.characters(exclude_characters="&;#", exclude_categories=["Z", "C"]), min_size=1),
)
def test_no_password_in_a_parameter_is_shown(name, value):
    for before, after in (("?", "&"), (";", ";"), ("?a=1&", "#")):
        assert hide_passwords(f"jdbc:x://db/dw{before}{name}=S3cret{value}{after}") == (
            f"jdbc:x://db/dw{before}{name}=***{after}"
        )


@given(st.text())
def test_hiding_twice_is_hiding_once(url):
    shown = hide_passwords(url)
    assert hide_passwords(shown) == shown
