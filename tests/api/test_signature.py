"""The signature, by an implementation from the text of RFC 5849 alone: the RFC's examples, our client, the sandbox."""

import http.client
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st
from rfc5849 import (
    Signed,
    authorization,
    base_string,
    base_string_uri,
    encoded,
    header_pairs,
    hmac_sha1,
    normalised,
    parameters,
    signature,
)
from sandboxes import SMALL
from scripted_api import CANARIES, CREDENTIALS, QUICK, Reply, ScriptedApi

from pipeline.api.links import _LINK
from pipeline.api.transport import Transport
from pipeline.sandbox import Sandbox

SECTION_3_4_1_1 = Signed(
    method="POST",
    scheme="http",
    host="example.com",
    target="/request?b5=%3D%253D&a3=a&c%40=&a2=r%20b",
    authorization=(
        'OAuth realm="Example", oauth_consumer_key="9djdj82h48djs9d2", oauth_token="kkk9d7dh3k39sjv7", '
        'oauth_signature_method="HMAC-SHA1", oauth_timestamp="137131201", oauth_nonce="7d8f3e4a", '
        'oauth_signature="bYT5CMsGcbgUdFHObYMEfcx6bsw%3D"'
    ),
    body="c2&a3=2+q",
)
WIKI_BASE_STRING = (
    "GET&http%3A%2F%2Fphotos.example.net%2Fphotos&file%3Dvacation.jpg%26oauth_consumer_key%3Ddpf43f3p2l4k3l03%26"
    "oauth_nonce%3Dkllo9940pd9333jh%26oauth_signature_method%3DHMAC-SHA1%26oauth_timestamp%3D1191242096%26"
    "oauth_token%3Dnnch734d00sl2jdk%26oauth_version%3D1.0%26size%3Doriginal"
)
SECTION_1_2 = [
    (
        Signed(
            "POST",
            "https",
            "photos.example.net",
            "/initiate",
            'OAuth realm="Photos", oauth_consumer_key="dpf43f3p2l4k3l03", oauth_signature_method="HMAC-SHA1", '
            'oauth_timestamp="137131200", oauth_nonce="wIjqoS", oauth_callback="http%3A%2F%2Fprinter.example.com%2Fready", '
            'oauth_signature="74KNZJeDHnMBp0EMJ9ZHt%2FXKycU%3D"',
        ),
        "",
    ),
    (
        Signed(
            "POST",
            "https",
            "photos.example.net",
            "/token",
            'OAuth realm="Photos", oauth_consumer_key="dpf43f3p2l4k3l03", oauth_token="hh5s93j4hdidpola", '
            'oauth_signature_method="HMAC-SHA1", oauth_timestamp="137131201", oauth_nonce="walatlh", '
            'oauth_verifier="hfdp7dh39dks9884", oauth_signature="gKgrFCywp7rO0OXSjdot%2FIHF7IU%3D"',
        ),
        "hdhd0244k9j7ao03",
    ),
    (
        Signed(
            "GET",
            "http",
            "photos.example.net",
            "/photos?file=vacation.jpg&size=original",
            'OAuth realm="Photos", oauth_consumer_key="dpf43f3p2l4k3l03", oauth_token="nnch734d00sl2jdk", '
            'oauth_signature_method="HMAC-SHA1", oauth_timestamp="137131202", oauth_nonce="chapoH", '
            'oauth_signature="MdpQcU8iPSUjWoN%2FUDMsK2sui9I%3D"',
        ),
        "pfkkdhi9sl3r4s00",
    ),
]


# Our own implementation against the RFC


def test_the_base_string_is_the_rfcs() -> None:
    """Sections 3.4.1.1 and 3.4.1.3: the example request, its parameters sorted, and what is signed."""
    sorted_parameters = (
        "a2=r%20b&a3=2%20q&a3=a&b5=%3D%253D&c%40=&c2=&oauth_consumer_key=9djdj82h48djs9d2&oauth_nonce=7d8f3e4a"
        "&oauth_signature_method=HMAC-SHA1&oauth_timestamp=137131201&oauth_token=kkk9d7dh3k39sjv7"
    )
    assert normalised(parameters(SECTION_3_4_1_1)) == sorted_parameters
    assert base_string(SECTION_3_4_1_1) == (
        "POST&http%3A%2F%2Fexample.com%2Frequest&a2%3Dr%2520b%26a3%3D2%2520q%26a3%3Da%26b5%3D%253D%25253D%26c%2540%3D%26c2%3D%26"
        "oauth_consumer_key%3D9djdj82h48djs9d2%26oauth_nonce%3D7d8f3e4a%26oauth_signature_method%3DHMAC-SHA1%26"
        "oauth_timestamp%3D137131201%26oauth_token%3Dkkk9d7dh3k39sjv7"
    )


def test_the_base_string_uri_is_the_rfcs() -> None:
    """Section 3.4.1.2: lower case, the default port goes, another one stays, the query is no part of it."""
    assert base_string_uri(Signed("GET", "http", "EXAMPLE.COM:80", "/r%20v/X?id=123")) == "http://example.com/r%20v/X"
    assert base_string_uri(Signed("GET", "https", "www.example.net:8080", "/?q=1")) == "https://www.example.net:8080/"


@pytest.mark.parametrize(("signed", "token_secret"), SECTION_1_2, ids=["initiate", "token", "photos"])
def test_the_signatures_are_the_rfcs(signed: Signed, token_secret: str) -> None:
    """Section 1.2: the three requests of its example bear the signatures that follow from them."""
    assert signature(signed, "kd94hf93k423kf44", token_secret) == dict(header_pairs(signed.authorization))["oauth_signature"]


@pytest.mark.parametrize(
    ("text", "secrets", "expected"),
    [
        ("bs", ("cs", ""), "egQqG5AJep5sJ7anhXju1unge2I="),
        ("bs", ("cs", "ts"), "VZVjXceV7JgPq/dOTnNmEfO0Fv8="),
        (
            WIKI_BASE_STRING,
            ("kd94hf93k423kf44", "pfkkdhi9sl3r4s00"),
            "tR3+Ty81lMeYAr/Fid0kMTYa/WM=",
        ),
    ],
)
def test_the_digests_are_the_communitys(text: str, secrets: tuple[str, str], expected: str) -> None:
    """The test cases of wiki.oauth.net for HMAC-SHA1."""
    assert hmac_sha1(text, *secrets) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("abcABC123", "abcABC123"), ("-._~", "-._~"), ("%", "%25"), ("+", "%2B"), ("&=*", "%26%3D%2A"), ("\n ", "%0A%20"),
     ("\x7f\x80", "%7F%C2%80"), ("\u3001", "%E3%80%81"), ("é", "%C3%A9")],
)  # fmt: skip
def test_the_encoding_is_the_communitys(text: str, expected: str) -> None:
    """Section 3.6, and the test cases of wiki.oauth.net for the encoding of parameters."""
    assert encoded(text) == expected


# What our client sends


@pytest.fixture(scope="module")
def api() -> Iterator[ScriptedApi]:
    with ScriptedApi() as api:
        api.script.default_factory = lambda: [Reply(b"there")]
        yield api


@pytest.fixture(scope="module")
def transport(api: ScriptedApi) -> Iterator[Transport]:
    transport = Transport(CREDENTIALS, api.base_url, QUICK)
    yield transport
    transport.close()


_PIECES = st.one_of(
    st.sampled_from("azAZ09-._~!$'()*+,;:@=/"),
    st.integers(0x21, 0x7E).map(lambda code: f"%{code:02X}"),
    st.sampled_from(["%20", "%c3%a9", "%C3%A9", "%e2%82%ac", "%7e", "%2f", "%25", "%2B"]),
)
_PATHS = st.lists(_PIECES, max_size=12).map("".join)
_QUERIES = st.lists(st.one_of(_PIECES, st.sampled_from("&=?")), max_size=16).map("".join)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(_PATHS, _QUERIES)
@example("Engagement.1469466000000.1469469600000.part-00000-0.gz", "")
@example("a%20b+c%2Bd/%C3%A9/%7E~", "b5=%3D%253D&a3=a&c%40=&a2=r%20b&c2&a3=2+q")
def test_the_signature_of_any_link_is_of_the_bytes_sent(api: ScriptedApi, transport: Transport, path: str, query: str) -> None:
    """The signed URL reaches the socket without being encoded, decoded or tidied."""
    api.seen.clear()
    link = f"{api.base_url}/{path}{'?' if query else ''}{query}"
    assume(_LINK.fullmatch(link))
    with closing(transport.send(link, "x")) as answer:
        assert b"".join(transport.body(answer, "x")) == b"there"
    [seen] = api.seen
    target = seen.url.removeprefix(api.base_url)
    signed = Signed("GET", "http", urlsplit(api.base_url).netloc, target, seen.headers["Authorization"])
    sent = dict(header_pairs(signed.authorization))
    assert sent["oauth_signature"] == signature(signed, CANARIES[1], CANARIES[3])
    assert (sent["oauth_consumer_key"], sent["oauth_token"]) == (CANARIES[0], CANARIES[2])
    assert (sent["oauth_signature_method"], sent["oauth_version"]) == ("HMAC-SHA1", "1.0")
    assert abs(int(sent["oauth_timestamp"]) - time.time()) < 60


# What the sandbox accepts


@pytest.mark.parametrize("change", ["nothing", "method", "target", "host", "signature"])
def test_the_sandbox_accepts_what_is_signed_by_the_rfc_alone(change: str) -> None:
    """A request that no library signed is served; of one whose method, target, host or signature changed none is."""
    with Sandbox([SMALL]) as sandbox:
        app_key, app_secret, access_token, token_secret = sandbox.credentials(SMALL.account_id).secrets
        target = f"/data_access_le/account/{SMALL.account_id}/le/engagement?startTime=0&endTime=1&x=a%20b+c&x=%C3%A9"
        pairs = [
            ("oauth_consumer_key", app_key),
            ("oauth_token", access_token),
            ("oauth_signature_method", "HMAC-SHA1"),
            ("oauth_timestamp", str(int(time.time()))),
            ("oauth_nonce", uuid4().hex),
        ]
        signed = Signed("GET", "http", urlsplit(sandbox.base_url).netloc, target, authorization(pairs))
        other = {"method": "POST", "target": f"{target}&y", "host": "127.0.0.1:1"}
        digest = signature(replace(signed, **{change: other[change]} if change in other else {}), app_secret, token_secret)
        header = authorization([*pairs, ("oauth_signature", digest[::-1] if change == "signature" else digest)])
        connection = http.client.HTTPConnection(signed.host, timeout=5)
        connection.request("GET", target, headers={"Authorization": header})
        answer = connection.getresponse()
        assert (answer.status, b"No Available Files" in answer.read()) == ((404, True) if change == "nothing" else (401, False))
        connection.close()
