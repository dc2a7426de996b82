"""The client over real HTTP: which days it asks for, what a listing may look like, and which bytes a download gives."""

import gzip
import io
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scripted_api import ACCOUNT, BASE_PATH, CREDENTIALS, LISTING_PATH, QUICK, Reply, ScriptedApi, as_json, listed, says

from pipeline.api.client import DataAccessClient, _days
from pipeline.api.limits import Limits
from pipeline.errors import AccessRefusedError, SettingsError, SourceUnreachableError, UnexpectedAnswerError
from pipeline.sandbox import Account, Sandbox, file_bytes, hour_file_names
from pipeline.source_files import ListedFile

DAY = datetime(2016, 7, 25, tzinfo=UTC)
ONE_DAY = timedelta(days=1)
FILE_PATH = f"{LISTING_PATH}/x.gz"
ARCHIVE = gzip.compress(b'{"dataType": "x"}\n' * 500)
ZIP = b"PK\x05\x06" + bytes(18)  # an archive of nothing
NO_FILES = "No Available Files"


def name_at(moment: datetime, part: int = 0) -> str:
    start = round(moment.timestamp() * 1000)
    return f"Engagement.{start}.{start + 3_600_000}.part-0000{part}-0.gz"


def names(client: DataAccessClient, since: datetime = DAY, until: datetime = DAY + ONE_DAY) -> list[str]:
    return [file.name for file in listed(client, since, until)]


def windows_of(api: ScriptedApi) -> list[tuple[int, int]]:
    queries = [parse_qs(urlsplit(seen.url).query) for seen in api.seen if seen.path == LISTING_PATH]
    return [(int(query["startTime"][0]), int(query["endTime"][0])) for query in queries]


def fetch(client: DataAccessClient, api: ScriptedApi, *replies: Reply) -> bytes:
    api.script[FILE_PATH] = list(replies)
    to = io.BytesIO(b"what was there before")
    client.download(ListedFile(ACCOUNT, "x.gz", api.base_url + FILE_PATH, None, None), to)
    return to.getvalue()


def test_a_window_is_asked_for_day_by_day_in_time_order(api: ScriptedApi, client: DataAccessClient) -> None:
    """Days begin at UTC midnight, seams leave no gap, and the base resource is read once for all of them."""
    api.script[LISTING_PATH] = [says(NO_FILES, status=404)]
    since, until = DAY + timedelta(hours=22), DAY + timedelta(days=2, microseconds=1)
    assert names(client, since, until) == []
    assert names(client, since, until) == []
    start, midnight = 1469484000000, 1469491200000
    day = 86_400_000
    expected = [(start, midnight), (midnight, midnight + day), (midnight + day, midnight + day + 1)]
    assert windows_of(api) == expected * 2
    assert api.paths().count(BASE_PATH) == 1


@given(st.datetimes(datetime(2000, 1, 1), datetime(2040, 1, 1)), st.timedeltas(timedelta(-3), timedelta(40)))  # noqa: DTZ001
@example(datetime(2000, 1, 1, 0, 0, 0, 1), timedelta())  # noqa: DTZ001
@example(datetime(2000, 1, 1, 0, 0, 0, 2), timedelta(microseconds=-1))  # noqa: DTZ001
def test_days_cover_a_window_without_gap_or_overlap(naive: datetime, length: timedelta) -> None:
    """Each instant of any window is in one day's request, and no request is longer than a day."""
    since = naive.replace(tzinfo=UTC)
    days = list(_days(since, since + length))
    assert bool(days) == (length > timedelta())
    assert all(0 < end - start <= 86_400_000 for start, end in days)
    assert all(before[1] == after[0] for before, after in pairwise(days))
    if days:
        first, last = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=edge) for edge in (days[0][0], days[-1][1]))
        millisecond = timedelta(milliseconds=1)
        assert timedelta() <= since - first < millisecond
        assert timedelta() <= last - (since + length) < millisecond


def test_a_file_at_a_seam_comes_once_and_until_is_exclusive(api: ScriptedApi, client: DataAccessClient) -> None:
    """A server that counts endTime in gives a midnight file twice, and one too many at the end."""
    first, seam, last = (name_at(DAY + hours * timedelta(hours=1)) for hours in (23, 24, 47))
    end = api.entry(name_at(DAY + 2 * ONE_DAY))
    api.script[LISTING_PATH] = [
        api.listing(api.entry(first), api.entry(seam)),
        api.listing(api.entry(seam), api.entry(last), end),
    ]
    assert names(client, DAY, DAY + 2 * ONE_DAY) == [first, seam, last]


def test_a_day_that_cannot_be_listed_is_passed_over(api: ScriptedApi, client: DataAccessClient) -> None:
    """The other days come, and the day says why it does not; after three in a row the server is left alone."""
    good = api.listing(api.entry(name_at(DAY + 2 * ONE_DAY)))
    api.script[LISTING_PATH] = [*[Reply(status=503)] * 3, as_json([1]), good, *[Reply(status=503)]]
    days = list(client.list_days(DAY, DAY + 8 * ONE_DAY))
    assert [day.since for day in days] == [DAY + turn * ONE_DAY for turn in range(8)]
    assert [[file.name for file in day.files] for day in days[:3]] == [[], [], [name_at(DAY + 2 * ONE_DAY)]]
    kinds = [SourceUnreachableError, UnexpectedAnswerError, type(None), *[SourceUnreachableError] * 5]
    assert [type(day.error) for day in days] == kinds
    assert api.paths().count(LISTING_PATH) == 3 + 1 + 1 + 3 * 3


def test_an_entry_that_is_no_file_does_not_cost_the_others(api: ScriptedApi, client: DataAccessClient) -> None:
    """A hostile name is refused with its reason, and nothing else of that day is lost for it."""
    hostile = {"@name": "../x", "@href": "x"}
    api.script[LISTING_PATH] = [api.listing(hostile, api.entry(name_at(DAY)))]
    [day] = client.list_days(DAY, DAY + ONE_DAY)
    assert [file.name for file in day.files] == [name_at(DAY)]
    assert day.refused == {'"../x"': "expected a bare file name as @name in the listing; not fetched"}


def test_of_one_name_with_two_links_the_first_holds(api: ScriptedApi, client: DataAccessClient) -> None:
    """A name is one file, however often it is listed, with or without `.gz`."""
    name = name_at(DAY)
    entries = [api.entry(name), api.entry(name), api.entry(name.removesuffix(".gz"))]
    api.script[LISTING_PATH] = [api.listing(*entries)]
    [file] = listed(client, DAY, DAY + ONE_DAY)
    assert file == ListedFile(ACCOUNT, name, entries[0]["@href"], DAY, DAY + timedelta(hours=1))


@pytest.mark.parametrize("status", [200, 400, 404, 500])
@pytest.mark.parametrize("in_xml", [False, True], ids=["json", "xml"])
def test_no_available_files_is_an_empty_day(api: ScriptedApi, client: DataAccessClient, status: int, *, in_xml: bool) -> None:
    """The message decides, for every status and format; it is no failure and costs one request."""
    xml = Reply(f"<error><message>{NO_FILES}</message><internalCode>7</internalCode></error>".encode(), status=status)
    api.script[LISTING_PATH] = [xml if in_xml else says(NO_FILES, status=status)]
    assert names(client) == []
    assert api.paths().count(LISTING_PATH) == 1


@pytest.mark.parametrize("reply", [Reply(status=204), Reply(status=204, announced=None), as_json({"dataAccessFiles": None})])
def test_an_answer_of_nothing_is_an_empty_day(api: ScriptedApi, client: DataAccessClient, reply: Reply) -> None:
    """HTTP's own way to say that there is nothing, or a listing that is null."""
    api.script[LISTING_PATH] = [reply]
    assert names(client) == []
    assert api.paths().count(LISTING_PATH) == 1


@pytest.mark.parametrize("announced", [70, None])
@pytest.mark.parametrize("in_xml", [False, True], ids=["json", "xml"])
def test_an_error_that_broke_off_is_tried_again(
    api: ScriptedApi, client: DataAccessClient, announced: int | None, *, in_xml: bool
) -> None:
    """Only the whole text tells an empty day from a wrong request, so half of it decides nothing."""
    half = b"<error><message>No Avai" if in_xml else b'{"time": 0, "message": "No Avai'
    api.script[LISTING_PATH] = [Reply(half, status=404, announced=announced), says(NO_FILES, status=404)]
    assert names(client) == []
    api.script[LISTING_PATH] = [Reply(half, status=404, announced=announced)]
    with pytest.raises(SourceUnreachableError, match=r"engagement for 2016-07-25: broke off after .* 3 attempts"):
        names(client)


@pytest.mark.parametrize("is_chunked", [False, True])
def test_a_packed_listing_is_unpacked(api: ScriptedApi, client: DataAccessClient, *, is_chunked: bool) -> None:
    """Content-Encoding was not asked for, but proxies send it; errors in it are read, too."""
    packed = {"Content-Encoding": "gzip"}
    plain = api.listing(api.entry(name_at(DAY)))
    day = Reply(gzip.compress(plain.body), headers=packed, is_chunked=is_chunked)
    empty = Reply(gzip.compress(says(NO_FILES).body), headers=packed, status=404)
    api.script[LISTING_PATH] = [day, empty]
    assert names(client, DAY, DAY + 2 * ONE_DAY) == [name_at(DAY)]


@pytest.mark.parametrize(
    "garbled",
    [
        Reply(b"<!DOCTYPE html><html>Service is being maintained</html>"),
        Reply(b'{"dataAccessFiles": {"file": [', announced=None),
        Reply(b""),
    ],
    ids=["html", "cut", "nothing"],
)
def test_a_garbled_listing_is_tried_again_before_it_is_an_error(
    api: ScriptedApi, client: DataAccessClient, garbled: Reply
) -> None:
    """A proxy's page or a cut listing with status 200 is ridden out once; a lasting one is no answer of the API."""
    api.script[LISTING_PATH] = [garbled, api.listing(api.entry(name_at(DAY)))]
    assert names(client) == [name_at(DAY)]
    api.script[LISTING_PATH] = [garbled]
    with pytest.raises(UnexpectedAnswerError, match=r"le/engagement for 2016-07-25: expected JSON, found .* 3 attempts"):
        names(client)


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (as_json([1]), r"expected an answer as documented, found HTTP 200 without a message"),
        (says("This request is not supported", code=5, status=400), "found HTTP 400, internalCode 5: This request"),
        (Reply(status=202), "found HTTP 202 without a message"),
        (as_json({"dataAccessFiles": None, "internalCode": 5}), "expected a JSON object with dataAccessFiles"),
    ],
)
def test_another_answer_is_an_error_at_once(api: ScriptedApi, client: DataAccessClient, reply: Reply, words: str) -> None:
    """Permanent errors are not tried again, and the sentence shows the answer."""
    api.script[LISTING_PATH] = [reply]
    with pytest.raises(UnexpectedAnswerError, match=words):
        names(client)
    assert api.paths().count(LISTING_PATH) == 1


@pytest.mark.parametrize("status", [200, 404, 410])
def test_without_an_engagement_link_the_documented_path_is_asked(
    api: ScriptedApi, client: DataAccessClient, status: int
) -> None:
    """The vendor's page gives the path itself, so no base resource, or one without the link, is no failure."""
    unknown = says("This request is not supported", code=5, status=status)
    api.script[BASE_PATH] = [as_json({"link": api.link("survey", "/survey")}) if status == 200 else unknown]
    api.script[LISTING_PATH] = [api.listing(api.entry(name_at(DAY)))]
    assert names(client) == [name_at(DAY)]
    assert api.paths() == [BASE_PATH, LISTING_PATH]


@pytest.mark.parametrize("status", [403, 404])
def test_an_account_without_engagement_data_is_told_whom_to_ask(
    api: ScriptedApi, client: DataAccessClient, status: int
) -> None:
    """Where neither a link nor the documented path leads to listings; not where there is a link."""
    api.script[LISTING_PATH] = [says("This request is not supported", code=5, status=status)]
    hint = "names no link to engagement data: ask LivePerson to open Data Access to the account"
    with pytest.raises((AccessRefusedError, UnexpectedAnswerError)) as linked:
        names(client)
    api.script[BASE_PATH] = [as_json({"link": api.link("survey", "/survey")})]
    with DataAccessClient(CREDENTIALS, api.base_url, limits=QUICK) as other, pytest.raises(type(linked.value), match=hint):
        names(other)
    assert hint not in str(linked.value)


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_refused_login_is_one_at_the_base_resource_too(api: ScriptedApi, client: DataAccessClient, status: int) -> None:
    """By its status or by its code; nothing else is asked then."""
    api.script[BASE_PATH] = [says("Unauthorized request", code=10, status=status)]
    with pytest.raises(AccessRefusedError, match="refuses the credentials"):
        names(client)
    assert api.paths() == [BASE_PATH]


@pytest.mark.parametrize(
    ("href", "path"),
    [
        (f"engagement/{name_at(DAY)}", f"{LISTING_PATH}/{name_at(DAY)}"),
        ("x.gz", f"{BASE_PATH}/x.gz"),
        ("./y/../x.gz", f"{BASE_PATH}/x.gz"),
        ("/abs/x.gz", "/abs/x.gz"),
    ],
)
def test_a_relative_link_is_resolved_against_the_listing(
    api: ScriptedApi, client: DataAccessClient, href: str, path: str
) -> None:
    """As RFC 3986 has it: a path without a slash begins where the listing is, one with a slash at the host."""
    api.script[LISTING_PATH] = [api.listing({"@name": name_at(DAY), "@href": href})]
    api.script[path] = [Reply(ARCHIVE)]
    [file] = listed(client, DAY, DAY + ONE_DAY)
    client.download(file, to := io.BytesIO())
    assert (to.getvalue(), api.paths()[-1]) == (ARCHIVE, path)


def test_a_link_without_a_scheme_names_its_host(api: ScriptedApi, client: DataAccessClient) -> None:
    """`//host/path` has the scheme of the listing."""
    api.script[LISTING_PATH] = [
        api.listing({"@name": name_at(DAY), "@href": f"{api.base_url.removeprefix('http:')}{FILE_PATH}"})
    ]
    api.script[FILE_PATH] = [Reply(ARCHIVE)]
    [file] = listed(client, DAY, DAY + ONE_DAY)
    client.download(file, to := io.BytesIO())
    assert to.getvalue() == ARCHIVE


def test_the_engagement_link_is_taken_from_the_base_resource(api: ScriptedApi, client: DataAccessClient) -> None:
    """It may be relative and have a query of its own; a foreign host in it gets no request."""
    api.script[BASE_PATH] = [as_json({"x": {"link": {"@rel": "engagement", "@href": "/elsewhere?v=1"}}})]
    api.script["/elsewhere"] = [api.listing(api.entry(name_at(DAY)))]
    assert names(client) == [name_at(DAY)]
    assert parse_qs(urlsplit(api.seen[-1].url).query).keys() == {"v", "startTime", "endTime"}
    api.script[BASE_PATH] = [as_json({"link": {"@rel": "engagement", "@href": "https://evil.example/"}})]
    refused = pytest.raises(UnexpectedAnswerError, match=r"found https://evil\.example:443; not sent")
    with DataAccessClient(CREDENTIALS, api.base_url, limits=QUICK) as other, refused:
        names(other)


def test_listings_and_files_have_a_limit(api: ScriptedApi) -> None:
    """A server cannot fill memory or disk, not by a bomb either."""
    limits = replace(QUICK, listing_bytes=1000, file_bytes=1000)
    bomb = Reply(gzip.compress(gzip.compress(bytes(10 << 20), 0)), headers={"Content-Encoding": "gzip"})
    with DataAccessClient(CREDENTIALS, api.base_url, limits=limits) as client:
        api.script[LISTING_PATH] = [Reply(b" " * 1001)]
        with pytest.raises(UnexpectedAnswerError, match="expected at most 1,000 bytes, more came"):
            names(client)
        for reply in (Reply(bytes(1001)), bomb):
            with pytest.raises(UnexpectedAnswerError, match=r"x\.gz: expected at most 1,000 bytes"):
                fetch(client, api, reply)
        assert fetch(client, api, Reply(bytes(1000))) == bytes(1000)


@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
@pytest.mark.parametrize("label", ["gzip", "x-gzip", "GZIP", "identity", None])
@pytest.mark.parametrize(
    "content", [ARCHIVE, ARCHIVE + ARCHIVE, ZIP, b'{"already": "unpacked"}'], ids=["gz", "members", "zip", "json"]
)
def test_a_download_gives_the_file_before_any_transfer_encoding(
    api: ScriptedApi, client: DataAccessClient, content: bytes, label: str | None, framing: str
) -> None:
    """Labelled or not, chunked or not, with or without length, wrapped once more or not: the bytes are the file's."""
    headers = {"Content-Encoding": label} if label else {}
    # Without a label, and around what is no archive, a layer of gzip is the file's own.
    is_wrappable = headers and label != "identity" and content.startswith((b"\x1f\x8b", b"PK"))
    for body in [content, gzip.compress(content)] if is_wrappable else [content]:
        announced = None if framing == "close" else "right"
        reply = Reply(body, headers=headers, announced=announced, is_chunked=framing == "chunked")
        assert fetch(client, api, reply) == content


@pytest.mark.parametrize("kept", [1, 11, -1, -9])
def test_a_cut_archive_of_unannounced_length_is_tried_again(api: ScriptedApi, client: DataAccessClient, kept: int) -> None:
    """Where only the connection's end ends the body, the gzip stream tells whether all of it came."""
    assert fetch(client, api, Reply(ARCHIVE[:kept], announced=None), Reply(ARCHIVE, announced=None)) == ARCHIVE
    with pytest.raises(SourceUnreachableError, match=r"x.gz: broke off in mid-stream.*after 3 attempts"):
        fetch(client, api, Reply(ARCHIVE[:kept], announced=None))


def test_a_cut_wrapping_is_tried_again(api: ScriptedApi, client: DataAccessClient) -> None:
    """The outer layer has to come to its end, and be sound, for the inner one to count."""
    packed, label = gzip.compress(gzip.compress(bytes(range(256)) * 1000)), {"Content-Encoding": "gzip"}
    whole = zlib.decompress(packed, 31)
    broken = packed[:-8] + bytes(8)
    assert fetch(client, api, Reply(packed[:-5], headers=label), Reply(broken, headers=label),
                 Reply(packed, headers=label)) == whole  # fmt: skip


def test_a_broken_archive_is_handed_on(api: ScriptedApi, client: DataAccessClient) -> None:
    """Bytes that came whole are the file; whether they are sound is for the landing zone to judge."""
    broken = ARCHIVE[:-8] + bytes(8)
    assert fetch(client, api, Reply(broken)) == broken
    assert fetch(client, api, Reply(broken, announced=None)) == broken
    assert fetch(client, api, Reply(b"")) == b""


@pytest.mark.parametrize("reply", [says(NO_FILES, status=404), Reply(status=410), says(NO_FILES, status=500)])
def test_a_vanished_file_says_so(api: ScriptedApi, client: DataAccessClient, reply: Reply) -> None:
    """Between listing and download a file may reach its thirtieth day."""
    with pytest.raises(UnexpectedAnswerError, match=r"x\.gz: the server listed it but"):
        fetch(client, api, reply)
    assert len(api.seen) == 1


def test_errors_of_the_disk_are_not_the_servers(api: ScriptedApi, client: DataAccessClient) -> None:
    """A full disk is passed on as it is, and nothing is fetched again."""

    class FullDisk(io.BytesIO):
        def write(self, _: object) -> int:
            raise OSError(28, "No space left on device")

    api.script[FILE_PATH] = [Reply(ARCHIVE)]
    with pytest.raises(OSError, match="No space left"):
        client.download(ListedFile(ACCOUNT, "x.gz", api.base_url + FILE_PATH, None, None), FullDisk())
    assert len(api.seen) == 1


def test_threads_share_a_client_and_its_connections(api: ScriptedApi, client: DataAccessClient) -> None:
    """Parallel downloads do not mix, every signature is its own, and connections are used again."""
    bodies = {f"/{number}": gzip.compress(str(number).encode() * number) for number in range(200)}
    api.script.update({path: [Reply(body)] for path, body in bodies.items()})

    def get(path: str) -> bytes:
        to = io.BytesIO()
        client.download(ListedFile(ACCOUNT, "x.gz", path, None, None), to)
        return to.getvalue()

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(get, bodies)) == list(bodies.values())
    assert len({seen.headers["Authorization"] for seen in api.seen}) == 200
    assert len({seen.connection for seen in api.seen}) <= 16


def test_a_client_needs_a_usable_account_and_host() -> None:
    """The checks of `Settings.credentials` hold for a client made by hand, too."""
    with pytest.raises(SettingsError, match="LP_ACCOUNT_ID"):
        DataAccessClient(replace(CREDENTIALS, account_id="../x"))
    with pytest.raises(SettingsError, match="LP_BASE_URL"):
        DataAccessClient(CREDENTIALS, "http://va.da.liveperson.net")


def test_the_sandbox_is_listed_and_downloaded_whole() -> None:
    """Against the sandbox, which checks signatures and refuses a nonce twice: every file of two days, byte for byte."""
    account = Account("4500", conversations_per_day=60)
    now = datetime(2024, 3, 10, 12, 30, tzinfo=UTC)
    since = datetime(2024, 3, 8, 22, tzinfo=UTC)
    with (
        Sandbox([account], now=now) as sandbox,
        DataAccessClient(sandbox.credentials("4500"), sandbox.base_url, limits=Limits()) as client,
    ):
        files = listed(client, since, now)
        hours = [since + timedelta(hours=hour) for hour in range(38)]
        assert [file.name for file in files] == [name for hour in hours for name in hour_file_names(account, hour)]
        for file in files[:5]:
            to = io.BytesIO()
            client.download(file, to)
            assert to.getvalue() == file_bytes(account, file.name)
