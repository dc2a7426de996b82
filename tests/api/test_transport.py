"""The transport: what it signs, where it goes, how often, and what it tells."""

import io
import logging
import traceback
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from urllib.parse import quote, quote_plus, urlsplit

import pytest
from rfc5849 import Signed, header_pairs, signature
from scripted_api import ACCOUNT, BASE_PATH, CANARIES, CREDENTIALS, LISTING_PATH, QUICK, Reply, ScriptedApi, Seen, listed, says

from pipeline.api.client import DataAccessClient
from pipeline.api.limits import Limits
from pipeline.api.links import require_allowed
from pipeline.errors import (
    AccessRefusedError,
    PipelineError,
    SourceError,
    SourceUnreachableError,
    UnexpectedAnswerError,
)
from pipeline.source_files import ListedFile

NAME = "Engagement.1469466000000.1469469600000.part-00000-0.gz"
FILE_PATH = f"{LISTING_PATH}/{NAME}"
DAY = datetime(2016, 7, 25, tzinfo=UTC)


def a_file(href: str) -> ListedFile:
    return ListedFile(ACCOUNT, NAME, href, None, None)


def fetch(client: DataAccessClient, href: str) -> bytes:
    to = io.BytesIO()
    client.download(a_file(href), to)
    return to.getvalue()


def oauth_of(seen: Seen) -> dict[str, str]:
    return dict(header_pairs(seen.headers["Authorization"]))


def signature_by_rfc5849(seen: Seen) -> str:
    url = urlsplit(seen.url)
    target = seen.url.removeprefix(f"{url.scheme}://{url.netloc}")
    return signature(Signed("GET", url.scheme, url.netloc, target, seen.headers["Authorization"]), CANARIES[1], CANARIES[3])


def test_every_request_bears_the_signature_of_rfc5849(api: ScriptedApi, client: DataAccessClient) -> None:
    """Base, listing, download and a link with a query are signed as the RFC has it, with odd keys and secrets."""
    api.script[LISTING_PATH] = [api.listing(api.entry(NAME))]
    api.script[FILE_PATH] = [Reply(b"served")]
    [file] = listed(client, DAY, DAY + timedelta(days=1))
    client.download(file, io.BytesIO())
    fetch(client, file.href + "?b=2&a=x%20y&a=%C3%A9")
    assert api.paths() == [BASE_PATH, LISTING_PATH, FILE_PATH, FILE_PATH]
    assert [oauth_of(seen)["oauth_signature"] for seen in api.seen] == [signature_by_rfc5849(seen) for seen in api.seen]


def test_each_attempt_is_signed_anew(api: ScriptedApi, client: DataAccessClient) -> None:
    """A retry never repeats a nonce, which a strict server would refuse."""
    api.script[FILE_PATH] = [Reply(status=503), Reply(b"cut", announced=10), Reply(b"whole")]
    assert fetch(client, api.base_url + FILE_PATH) == b"whole"
    oauth = [oauth_of(seen) for seen in api.seen]
    assert len({fields["oauth_nonce"] for fields in oauth}) == 3
    assert len({fields["oauth_signature"] for fields in oauth}) == 3


@pytest.mark.parametrize(
    "reply",
    [
        Reply(status=500),
        Reply(status=429),
        Reply(b"cut short", announced=100),
        Reply(b"cut short", announced=100, then_reset=True),
        Reply(b"cut short", is_chunked=True, then_reset=True),
        Reply(b"x" * 100, pause_seconds=0.05),
        Reply(b"silent", pause_seconds=0.6),
        Reply(status=503, body=b"cut", announced=50),
    ],
    ids=["500", "429", "short", "reset", "chunked", "drip", "silence", "short error"],
)
def test_one_failure_is_ridden_out(api: ScriptedApi, client: DataAccessClient, reply: Reply) -> None:
    """A 5xx, a 429, a reset, a short, slow or silent answer costs one more attempt and nothing else."""
    api.script[FILE_PATH] = [reply, Reply(b"whole")]
    to, told = io.BytesIO(), list[int]()
    client.download(a_file(api.base_url + FILE_PATH), to, on_bytes=told.append)
    assert to.getvalue() == b"whole"
    assert sum(told) == 5
    assert len(api.seen) == 2


def test_a_lasting_failure_ends_after_the_attempts_allowed(api: ScriptedApi, client: DataAccessClient) -> None:
    """The error names the file, what was found, and how often it was tried."""
    api.script[FILE_PATH] = [Reply(b"cut", announced=10)]
    with pytest.raises(SourceUnreachableError, match=r"00000-0.gz: broke off after 3 of 10 bytes.*after 3 attempts"):
        fetch(client, api.base_url + FILE_PATH)
    assert len(api.seen) == 3


def test_nobody_there_is_a_short_sentence() -> None:
    """A refused connection names host and reason, and shows no object of a library."""
    with DataAccessClient(CREDENTIALS, "http://127.0.0.1:9", limits=QUICK) as client:
        with pytest.raises(SourceUnreachableError, match=r"no answer from 127\.0\.0\.1 .*refused") as caught:
            listed(client, DAY, DAY + timedelta(days=1))
        assert "object at" not in str(caught.value)


@pytest.mark.parametrize("as_date", [False, True], ids=["seconds", "date"])
def test_retry_after_is_waited_for(api: ScriptedApi, client: DataAccessClient, *, as_date: bool) -> None:
    """A `Retry-After` replaces the backoff, as seconds or as a date; a date counts by the server's clock."""
    server_time = datetime(2016, 7, 25, tzinfo=UTC)
    retry_after = format_datetime(server_time + timedelta(seconds=1), usegmt=True) if as_date else "1"
    headers = {"Retry-After": retry_after, "Date": format_datetime(server_time, usegmt=True)}
    api.script[FILE_PATH] = [Reply(status=429, headers=headers), Reply(b"whole")]
    started = datetime.now(UTC)
    fetch(client, api.base_url + FILE_PATH)
    assert 0.9 < (datetime.now(UTC) - started).total_seconds() < 3


def test_a_retry_after_beyond_the_limit_ends_it_at_once(api: ScriptedApi, client: DataAccessClient) -> None:
    """A client does not wait an hour for a file: the next run gets it; the caller gets the server's `Retry-After`."""
    api.script[FILE_PATH] = [Reply(status=503, headers={"Retry-After": "3600"})]
    with pytest.raises(SourceUnreachableError, match="asks to wait 3600 s") as caught:
        fetch(client, api.base_url + FILE_PATH)
    assert caught.value.retry_after_seconds == 3600
    assert len(api.seen) == 1


def test_a_longer_wish_is_granted_once_and_not_again_if_in_vain(api: ScriptedApi) -> None:
    """A pause that the server asks for is ridden out beyond the limit of time; where it does not help, no other is."""
    busy = Reply(status=429, headers={"Retry-After": "1"})
    limits = Limits(retry_seconds=0.5, longest_retry_after_seconds=2, backoff_seconds=0.01)
    api.script[FILE_PATH] = [busy, Reply(b"whole"), busy]
    with DataAccessClient(CREDENTIALS, api.base_url, limits=limits) as client:
        assert fetch(client, api.base_url + FILE_PATH) == b"whole"
        for requests in (4, 5):
            with pytest.raises(SourceUnreachableError, match="asks to wait 1 s"):
                fetch(client, api.base_url + FILE_PATH)
            assert len(api.seen) == requests


def test_there_is_a_second_attempt_however_long_the_first_took(api: ScriptedApi) -> None:
    """The limit on time counts from the second attempt on, so that one stall is ridden out; it stops the third."""
    api.script[FILE_PATH] = [Reply(b"silent", pause_seconds=0.6)]
    limits = Limits(read_seconds=0.2, retry_seconds=0.1, backoff_seconds=0.01)
    lasting = pytest.raises(SourceUnreachableError, match=r"nothing came for 0\.2 s.*after 2 attempts")
    with DataAccessClient(CREDENTIALS, api.base_url, limits=limits) as client, lasting:
        fetch(client, api.base_url + FILE_PATH)
    assert len(api.seen) == 2


@pytest.mark.parametrize(
    "link",
    [
        "https://evil.example/x",
        "https://evil.example/.liveperson.net",
        "https://liveperson.net.evil.example/x",
        "https://evilliveperson.net/x",
        "https://va.da.liveperson.net@evil.example/x",
        "https://evil.example\\@va.da.liveperson.net/x",
        "https://evil.example#.liveperson.net/x",
        "https://va.da.liveperson.net:8443/x",
        "http://va.da.liveperson.net/x",
        "http://127.0.0.1:9/x",
        "http://localhost/x",
        "//evil.example/x",
        "https://[evil.liveperson.net/x",
        "https://va.da.liveperson.net:x/x",
        "file:///etc/passwd",
        "ftp://va.da.liveperson.net/x",
        "https://va.da.liveperson.net/a b",
        "https://va.da.liveperson.net/\r\nHost: evil.example",
        "https://ëvil.liveperson.net/x",
        "https://va.da.liveperson.net//evil.example/x",
        "https://va.da.liveperson.net/x;",
        "https://va.da.liveperson.net/x;?y=1",
        "https://evil.example\u3002liveperson.net/x",
        "https://evil.example\uff0f.liveperson.net/x",
        "https://evil.example\u2044.liveperson.net/x",
        "https://\u0456.liveperson.net/x",
        "https://va.da.liveperson.net./x",
        "https://.liveperson.net/x",
        "https://evil.example..liveperson.net/x",
        "https://liveperson.net/x",
        "https://va.da.liveperson.net:@evil.example/x",
        "https://evil.example%2f.liveperson.net/x",
        "https://evil.example%00.liveperson.net/x",
        "https://evil.example;.liveperson.net/x",
        "https://evil.example?.liveperson.net",
        "https:/evil.example/x",
        "https:///evil.example/x",
        "https:\\\\evil.example\\.liveperson.net/x",
        "https://va.da.liveperson.net:0443/x",
        "https://va.da.liveperson.net:0/x",
        "https://va.da.liveperson.net:65536/x",
        "https://127.0.0.1.liveperson.net.evil.example/x",
        "https://2130706433/x",
        "https://[::ffff:127.0.0.1]/x",
        "https://localhost/x",
        "\thttps://evil.example/x",
        "javascript:alert(1)",
        "data:application/gzip;base64,H4sI",
    ],
)
def test_hostile_links_are_not_followed(api: ScriptedApi, link: str) -> None:
    """Neither a listed link nor a redirect leads a signature away from the configured host and the vendor's domain."""
    api.script[LISTING_PATH] = [api.listing({"@name": NAME, "@href": link})]
    limits = Limits(attempts=1, connect_seconds=0.1)
    with DataAccessClient(CREDENTIALS, api.base_url, limits=limits) as client:
        with pytest.raises(UnexpectedAnswerError, match=r"expected a link"):
            fetch(client, listed(client, DAY, DAY + timedelta(days=1))[0].href)
        if link.isprintable() and link.isascii():
            api.script[FILE_PATH] = [Reply(status=302, headers={"Location": link})]
            with pytest.raises(UnexpectedAnswerError, match=r"expected a link"):
                fetch(client, api.base_url + FILE_PATH)


def test_the_vendors_hosts_are_allowed_over_https(client: DataAccessClient) -> None:
    """A listing of one host may name another of the same service."""
    require_allowed("https://va-a.da.liveperson.net/data_access_le/x?y=1", client.base_url, "file")
    require_allowed("https://LO.da.LivePerson.net:443/", client.base_url, "file")
    require_allowed("HTTPS://sy.da.liveperson.net/x.gz", client.base_url, "file")


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_the_names_of_loopback_are_one_host(api: ScriptedApi, host: str) -> None:
    """A link may say localhost where the setting says 127.0.0.1, or the other way round; the port has to be the same."""
    port = api.base_url.rpartition(":")[2]
    other = {"localhost": "127.0.0.1", "127.0.0.1": "localhost"}[host]
    api.script[FILE_PATH] = [Reply(b"served")]
    with DataAccessClient(CREDENTIALS, f"http://{host}:{port}", limits=QUICK) as client:
        assert fetch(client, f"http://{other}:{port}{FILE_PATH}") == b"served"
        assert oauth_of(api.seen[-1])["oauth_signature"] == signature_by_rfc5849(api.seen[-1])
        require_allowed(f"http://[::1]:{port}/", client.base_url, "file")
        for link in (f"http://{other}:9/x", f"https://{other}:{port}/x"):
            with pytest.raises(UnexpectedAnswerError, match="expected a link"):
                fetch(client, link)
    with DataAccessClient(CREDENTIALS, limits=QUICK) as client, pytest.raises(UnexpectedAnswerError, match="expected a link"):
        fetch(client, "https://localhost/x")


def test_redirects_on_the_same_host_are_followed_and_signed_anew(api: ScriptedApi, client: DataAccessClient) -> None:
    """Three steps are followed by hand, each with a signature of its own; the fourth is one too many."""
    api.script["/1"] = [Reply(status=302, headers={"Location": "/2?a=1"})]
    api.script["/2"] = [Reply(status=307, headers={"Location": api.base_url + "/3"})]
    api.script["/3"] = [Reply(status=301, headers={"Location": "/4"})]
    api.script["/4"] = [Reply(b"there")]
    assert fetch(client, api.base_url + "/1") == b"there"
    assert [oauth_of(seen)["oauth_signature"] for seen in api.seen] == [signature_by_rfc5849(seen) for seen in api.seen]
    assert len({oauth_of(seen)["oauth_nonce"] for seen in api.seen}) == 4
    api.script["/4"] = [Reply(status=302, headers={"Location": "/1"})]
    with pytest.raises(UnexpectedAnswerError, match="more than 3 redirects"):
        fetch(client, api.base_url + "/1")


@pytest.mark.parametrize("status", [200, 401, 403])
def test_refused_credentials_are_told_in_the_servers_words(api: ScriptedApi, client: DataAccessClient, status: int) -> None:
    """The sentence has the server's code and message, on one line and without the keys, and no attempt follows."""
    spelled = [CANARIES[1], quote(CANARIES[2], safe=""), quote(CANARIES[0]), quote_plus(CANARIES[2])]
    words = f"Unauthorized\n\x1b[31m request {' '.join(spelled)}"
    api.script[BASE_PATH] = [says(words, code=10, status=status)]
    with pytest.raises(AccessRefusedError, match=r"internalCode 10: Unauthorized \[31m request \*\*\* \*\*\* \*\*\* \*\*\*\)"):
        listed(client, DAY, DAY + timedelta(days=1))
    assert len(api.seen) == 1


def test_a_long_message_is_not_cut_within_a_key(api: ScriptedApi, client: DataAccessClient) -> None:
    """Where a server repeats a key at the end of what is shown, no part of it is."""
    for length in range(60, 130):
        api.script[BASE_PATH] = [says("x" * length + CANARIES[0], code=10, status=401)]
        with pytest.raises(AccessRefusedError, match=r"internalCode 10: x+") as caught:
            listed(client, DAY, DAY + timedelta(days=1))
        assert CANARIES[0][:4] not in str(caught.value)


@pytest.mark.parametrize(("minutes", "words"), [(-10, "ahead of"), (10, "behind"), (4, None)])
def test_a_clock_that_is_off_is_named(api: ScriptedApi, client: DataAccessClient, minutes: int, words: str | None) -> None:
    """A 401 says by how many seconds the clocks differ where that explains it."""
    date = format_datetime(datetime.now(UTC) + timedelta(minutes=minutes), usegmt=True)
    api.script[BASE_PATH] = [says("Unauthorized request", code=10, status=401, headers={"Date": date})]
    expected = rf"clock is (59\d|60\d) s {words} the server's" if words else "check LP_ACCOUNT_ID"
    with pytest.raises(AccessRefusedError, match=expected):
        listed(client, DAY, DAY + timedelta(days=1))


def test_no_secret_leaves_by_repr_log_or_traceback(
    api: ScriptedApi, client: DataAccessClient, caplog: pytest.LogCaptureFixture
) -> None:
    """With every logger at DEBUG, success and each kind of failure show neither a key nor a signature."""
    names = ("", "urllib3", "requests", "requests_oauthlib", "oauthlib", "oauthlib.oauth1.rfc5849", "pipeline")
    for name in (*names, "requests_oauthlib.oauth1_auth", "oauthlib.oauth1.rfc5849.signature"):
        caplog.set_level(logging.DEBUG, logger=name)
    echo = " ".join(CANARIES)
    shown = [repr(CREDENTIALS), str(CREDENTIALS), repr(client), repr(vars(client)), repr(vars(client._transport))]
    for replies in (
        [Reply(b"served")],
        [says(echo, status=401)],
        [says(echo, status=400)],
        [says(echo, status=503)],
        [Reply(b"x", announced=5)],
        [Reply(status=302, headers={"Location": "https://evil.example/"})],
    ):
        api.script[FILE_PATH] = replies
        try:
            fetch(client, api.base_url + FILE_PATH)
        except PipelineError as error:
            shown += [repr(error), traceback.format_exc()]
    shown += [repr(record.__dict__) + record.getMessage() for record in caplog.records]
    assert any("urllib3" in record.name for record in caplog.records)
    hidden = [form for canary in CANARIES for form in (canary, quote(canary, safe=""), repr(canary)[1:-1])]
    hidden += [oauth_of(seen)["oauth_signature"] for seen in api.seen]
    assert [secret for secret in hidden for text in shown if secret in text] == []


def test_a_closed_client_asks_no_more(api: ScriptedApi, client: DataAccessClient) -> None:
    """Closing ends a pause before the next attempt by an error, so that an interrupted run ends."""
    client.close()
    with pytest.raises(SourceError, match="the client is closed"):
        fetch(client, api.base_url + FILE_PATH)
    assert api.seen == []
