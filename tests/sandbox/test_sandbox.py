"""The sandbox: its made-up traffic is always the same and shaped like the vendor's, and its server keeps the door."""

import gzip
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from itertools import pairwise
from statistics import mean
from typing import Any

import pytest
import requests
from requests_oauthlib import OAuth1
from sandboxes import engagements, untagged

from pipeline.sandbox import Account, Sandbox, demo_accounts, documents, file_bytes, hour_file_names

AFTERNOON = datetime(2026, 3, 11, 18, tzinfo=UTC)
MIDNIGHT = datetime(2026, 3, 11, tzinfo=UTC)
HOUR = timedelta(hours=1)
SHOP, SMALL_SHOP = demo_accounts()

CONVERSATION = {
    "type", "conversationId", "conversationStartTime", "interactionStartTime", "conversationEndTime", "consumerId",
    "isInteractive", "sourceOrigin", "sourceDevice", "endReasonId", "campaignData", "agentId", "skillId", "skills",
    "startReasonId", "startPage", "startUrl", "transcripts", "transfers", "secureForms", "mcs", "queueStartTime",
    "queueEndTime",
}  # fmt: skip
MESSAGE = {
    "text", "timestamp", "by", "type", "controlType", "agentId", "contentFormat", "messageId", "dialogId", "fileData",
    "linkData", "mcs",
}  # fmt: skip
TRANSFER = {
    "timestamp", "skillId", "targetSkillId", "agentId", "targetAgentId", "reason", "queueStartTime", "queueEndTime",
}  # fmt: skip


def conversations(account: Account, start: datetime, hours: int) -> list[dict[str, Any]]:
    """All conversations in the files of some hours."""
    lines = (line for hour in range(hours) for line in documents(account, start + hour * HOUR))
    return [conversation for line in lines for conversation in engagements(line)]


@pytest.fixture(scope="module")
def day() -> list[dict[str, Any]]:
    """The conversations of a day of the larger demo account."""
    return conversations(SHOP, MIDNIGHT, 24)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """A running sandbox whose clock stands still in an afternoon."""
    with Sandbox(now=AFTERNOON) as running:
        yield running


def oauth(sandbox: Sandbox, *, timestamp: str | None = None, **changes: str) -> OAuth1:
    """A signer with the larger account's credentials, or with some of them changed."""
    names = ("client_key", "client_secret", "resource_owner_key", "resource_owner_secret")
    values: dict[str, Any] = dict(zip(names, sandbox.credentials(SHOP.account_id).secrets, strict=True)) | changes
    return OAuth1(**values, timestamp=timestamp)


@pytest.fixture
def client(sandbox: Sandbox) -> Iterator[requests.Session]:
    """A client that signs with the larger account's credentials."""
    with requests.Session() as session:
        session.auth = oauth(sandbox)
        session.trust_env = False
        yield session


def address(sandbox: Sandbox, rest: str = "", account: Account = SHOP) -> str:
    """The URL of something of an account."""
    return f"{sandbox.base_url}/data_access_le/account/{account.account_id}/le{rest}"


def window(start: datetime, end: datetime) -> dict[str, str]:
    """The parameters of a listing."""
    names = ("startTime", "endTime")
    return {name: str(int(moment.timestamp() * 1000)) for name, moment in zip(names, (start, end), strict=True)}


# The traffic


def test_same_values_give_the_same_bytes_in_another_process() -> None:
    """A file depends on account and seed alone: not on the process, nor on what was made before it."""
    (name,) = hour_file_names(SHOP, AFTERNOON)
    code = (
        "import sys, hashlib; from pipeline.sandbox import demo_accounts, file_bytes;"
        f"print(hashlib.sha256(file_bytes(demo_accounts()[0], {name!r})).hexdigest())"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONHASHSEED": "7"}
    command = [sys.executable, "-c", code]
    other = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    conversations(SHOP, AFTERNOON - 100 * HOUR, 30)
    assert other.stdout.strip() == sha256(file_bytes(SHOP, name)).hexdigest()


def test_another_seed_is_another_history() -> None:
    """Two seeds of one account share no file."""
    assert list(documents(SHOP, AFTERNOON)) != list(documents(replace(SHOP, seed=2), AFTERNOON))


def test_each_conversation_is_in_one_hour_and_ids_are_unique_over_accounts() -> None:
    """The files of a day and more hold each conversation once, and no two accounts share an id."""
    ids = [
        untagged(conversation["conversationId"])
        for account in (SHOP, SMALL_SHOP, Account("7555585", conversations_per_day=300))
        for conversation in conversations(account, MIDNIGHT, 30)
    ]
    assert len(ids) > 500
    assert len(set(ids)) == len(ids)


def test_a_file_holds_what_closed_in_its_hour() -> None:
    """Every document's session ends within the hour of its file, in order, after its conversations."""
    start = int(AFTERNOON.timestamp() * 1000)
    ends = [untagged(json.loads(line)["metaData"]["endTime"]) for line in documents(SHOP, AFTERNOON)]
    assert ends == sorted(ends)
    assert start <= ends[0]
    assert ends[-1] < start + 3_600_000
    for line, end in zip(documents(SHOP, AFTERNOON), ends, strict=True):
        assert all(untagged(conversation["conversationEndTime"]) < end for conversation in engagements(line))


def test_parts_together_are_the_hour() -> None:
    """A busy hour's parts hold its documents in order, and nothing else."""
    account = replace(SHOP, sessions_per_part=7)
    hour = AFTERNOON
    names = hour_file_names(account, hour)
    assert [name.split(".")[3] for name in names[:2]] == ["part-00000-0", "part-00001-0"]
    parts = [gzip.decompress(file_bytes(account, name)).splitlines() for name in names]
    assert [len(lines) for lines in parts[:-1]] == [7] * (len(names) - 1)
    assert [line for lines in parts for line in lines] == list(documents(account, hour))


def test_unknown_name_has_no_file() -> None:
    """A name that the account never made is not found."""
    for name in (
        "Engagement.1.2.part-00000-0.gz",
        "x",
        hour_file_names(SHOP, AFTERNOON)[0].replace("-00000-", "-00044-"),
    ):
        with pytest.raises(FileNotFoundError, match="no such file"):
            file_bytes(SHOP, name)


def test_volume_follows_the_rate() -> None:
    """Over a week an account has about the conversations that were asked for, and each about 8 kB."""
    account = replace(SMALL_SHOP, conversations_per_day=120)
    lines = [line for hour in range(7 * 24) for line in documents(account, MIDNIGHT + hour * HOUR)]
    assert sum(len(engagements(line)) for line in lines) == pytest.approx(7 * 120, rel=0.2)
    assert mean(map(len, lines)) == pytest.approx(8000, rel=0.15)


@pytest.mark.parametrize("account", [SHOP, SMALL_SHOP], ids=["bare", "tagged"])
def test_every_record_has_the_documented_fields(account: Account) -> None:
    """Each record has all fields of the vendor's page, no other, and the newer schema's transfers one more."""
    (first, *_) = documents(account, AFTERNOON)
    document = json.loads(first)
    meta = document["metaData"] if not account.is_tagged else document["metaData"]["com.liveperson.dataaccess.MetaData"]
    assert set(document) == {"dataType", "metaData", "recordCollection"}
    assert set(meta) == {"accountId", "schemaVersion", "startTime", "endTime"}
    assert meta["schemaVersion"] == ("1.0.0.35" if account.is_tagged else "1.0.0.22")
    transfer_fields = TRANSFER | ({"isInteractive"} if account.is_tagged else set())
    found = conversations(account, MIDNIGHT, 24)
    assert all(set(conversation) == CONVERSATION for conversation in found)
    assert all(set(line) == MESSAGE for item in found for line in item["transcripts"]["array"])
    transfers = [transfer for item in found for transfer in item["transfers"]["array"]]
    assert transfers
    assert all(set(transfer) == transfer_fields for transfer in transfers)


def test_values_carry_the_documented_tags() -> None:
    """A value that is not null is an object of one key, and that key is the documented type."""
    tags = {
        "type": {"com.liveperson.dataaccess.ConversationType"}, "mcs": {"com.liveperson.dataaccess.MCS"},
        "campaignData": {"com.liveperson.dataaccess.CampaignData"}, "endReasonId": {"int"}, "skillId": {"long"},
        "sourceDevice": {"com.liveperson.dataaccess.DeviceType"}, "conversationId": {"string"}, "skills": {"array"},
        "isInteractive": {"boolean"}, "queueEndTime": {"long"}, "secureForms": {"array"}, "consumerId": {"string"},
    }  # fmt: skip
    for conversation in conversations(SHOP, AFTERNOON, 3):
        for field, expected in tags.items():
            assert conversation[field] is None or set(conversation[field]) == expected


def test_times_of_a_conversation_are_in_order(day: list[dict[str, Any]]) -> None:
    """Queue, interaction, lines and end follow each other, and the two pairs of the vendor's example are equal.

    Who is moved to another queue first leaves the first one before anybody answers.
    """
    moved = 0
    for item in day:
        start, end = untagged(item["conversationStartTime"]), untagged(item["conversationEndTime"])
        stamps = [untagged(line["timestamp"]) for line in item["transcripts"]["array"]]
        assert all(earlier <= later for earlier, later in pairwise([start, *stamps, end]))
        assert untagged(item["queueStartTime"]) == start
        if item["interactionStartTime"] is not None:
            answered = untagged(item["interactionStartTime"])
            is_moved = any(int(untagged(transfer["timestamp"])) < answered for transfer in item["transfers"]["array"])
            moved += is_moved
            assert start <= answered <= end
            assert is_moved or answered == untagged(item["queueEndTime"])
        for transfer in item["transfers"]["array"]:
            assert start <= int(untagged(transfer["timestamp"])) <= untagged(transfer["queueStartTime"]) <= end
    assert moved


def test_flags_agree_with_the_lines(day: list[dict[str, Any]]) -> None:
    """Interactive means that the visitor wrote, who gave up has no agent, and only messaging has a consumer."""
    for item in day:
        lines = item["transcripts"]["array"]
        assert untagged(item["isInteractive"]) == any(untagged(line["type"]) == "0" for line in lines)
        if item["interactionStartTime"] is None:
            assert item["agentId"] is None
        assert (item["consumerId"] is None) == (untagged(item["type"]) == "LIVE_CHAT")


def test_the_day_is_believable(day: list[dict[str, Any]]) -> None:
    """Abandons, transfers, scores and lines are of the size that contact centres know."""
    scores = [untagged(untagged(item["mcs"])["mcs"]) for item in day if item["mcs"] is not None]
    assert 0.01 < mean(item["interactionStartTime"] is None for item in day) < 0.2
    assert 0.05 < mean(bool(item["transfers"]["array"]) for item in day) < 0.3
    assert 11 < mean(len(item["transcripts"]["array"]) for item in day) < 19
    assert 50 < mean(scores) < 72
    assert 0 <= min(scores) < 35
    assert 85 < max(scores) <= 100


def mean_wait(account: Account, hours: int = 24) -> float:
    """Mean seconds in the first queue of those who were answered."""
    found = conversations(account, MIDNIGHT, hours)
    answered = [item for item in found if item["interactionStartTime"] is not None and item["queueEndTime"] is not None]
    waits = [untagged(item["queueEndTime"]) - untagged(item["queueStartTime"]) for item in answered]
    return float(mean(waits)) / 1000


def test_waits_grow_with_the_load() -> None:
    """The same demand on fewer agents waits longer."""
    calm, usual, busy = (mean_wait(replace(SMALL_SHOP, conversations_per_day=250, load=load)) for load in (0.45, 0.8, 1.2))
    assert calm < usual < busy
    assert busy > 3 * calm


def test_nights_are_quiet() -> None:
    """More sessions close in a business hour than in a whole night, and some hours have no file."""
    night = [hour_file_names(SMALL_SHOP, MIDNIGHT + hour * HOUR) for hour in range(1, 7)]
    assert not all(night)
    assert len(conversations(SMALL_SHOP, AFTERNOON, 1)) > len(conversations(SMALL_SHOP, MIDNIGHT + HOUR, 6))


@pytest.mark.parametrize(("opens", "closes"), [(9, 12), (2, 20), (9, 26)])
def test_impossible_hours_are_refused(opens: int, closes: int) -> None:
    """Business hours must leave room for a shift, inside the business day."""
    with pytest.raises(ValueError, match="expected 8 hours or more between 4 and 24"):
        Account("1", opens=opens, closes=closes)


# The server


def test_base_resource_leads_to_the_engagements(sandbox: Sandbox, client: requests.Session) -> None:
    """The base resource links every documented relation, on this server."""
    (body,) = client.get(address(sandbox)).json().values()
    links = {link["@rel"]: link["@href"] for link in body["link"]}
    assert set(links) == {"self", "agentActivity", "webSession", "engagement", "survey", "schema"}
    assert links["engagement"] == address(sandbox, "/engagement")


def test_listing_is_as_on_the_vendors_page(sandbox: Sandbox, client: requests.Session) -> None:
    """The listing names each file, its scope with the offset of US Eastern time, and where it is."""
    body = client.get(address(sandbox, "/engagement"), params=window(AFTERNOON - 3 * HOUR, AFTERNOON)).json()["dataAccessFiles"]
    assert body["@id"] == SHOP.account_id
    assert body["link"] == {"@href": address(sandbox, "/engagement"), "@rel": "self"}
    last = body["file"][-1]
    assert last == {
        "@name": "Engagement.1773248400000.1773252000000.part-00000-0.gz",
        "@scopeStartDate": "2026-03-11T13:00:00-04:00",
        "@scopeEndDate": "2026-03-11T14:00:00-04:00",
        "@href": address(sandbox, f"/engagement/{last['@name']}"),
    }


def listed(client: requests.Session, sandbox: Sandbox, start: datetime, end: datetime) -> list[str]:
    """Names in a listing; none where the API says that there are none."""
    answer = client.get(address(sandbox, "/engagement"), params=window(start, end))
    if "No Available Files" in answer.text:
        return []
    return [file["@name"] for file in answer.json()["dataAccessFiles"]["file"]]


def test_listing_selects_by_the_start_of_a_file(sandbox: Sandbox, client: requests.Session) -> None:
    """A file belongs to the range that its start lies in: the start of the range included, the end not."""
    morning = AFTERNOON - 26 * HOUR
    (name,) = hour_file_names(SHOP, morning)
    minute = timedelta(minutes=1)
    assert listed(client, sandbox, morning, morning + minute) == [name]
    assert listed(client, sandbox, morning + minute, morning + HOUR) == []
    assert name not in listed(client, sandbox, morning - 5 * HOUR, morning)


def test_files_come_when_their_hour_is_over_and_go_after_30_days(sandbox: Sandbox, client: requests.Session) -> None:
    """The listing of all time starts 30 days ago and ends with the last whole hour."""
    names = listed(client, sandbox, datetime(1970, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))
    starts = [int(name.split(".")[1]) / 1000 for name in names]
    assert AFTERNOON - timedelta(days=30) <= datetime.fromtimestamp(starts[0], UTC) < AFTERNOON - timedelta(days=29)
    assert datetime.fromtimestamp(starts[-1], UTC) == AFTERNOON - HOUR
    (gone,) = hour_file_names(SHOP, AFTERNOON - timedelta(days=31))
    assert client.get(address(sandbox, f"/engagement/{gone}")).status_code == 404


def test_empty_range_is_an_error_that_says_so(sandbox: Sandbox, client: requests.Session) -> None:
    """A range without files is answered with 404 and "No Available Files"."""
    answer = client.get(address(sandbox, "/engagement"), params=window(AFTERNOON + HOUR, AFTERNOON + 9 * HOUR))
    assert answer.status_code == 404
    assert set(answer.json()) == {"time", "message", "internalCode"}
    assert "No Available Files" in answer.json()["message"]


def test_download_is_the_generators_file(sandbox: Sandbox, client: requests.Session) -> None:
    """A download has the bytes that the generator makes, unpacked by nobody on the way."""
    (name,) = hour_file_names(SHOP, AFTERNOON - 26 * HOUR)
    answer = client.get(address(sandbox, f"/engagement/{name}"))
    assert answer.content == file_bytes(SHOP, name)
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert "Content-Encoding" not in answer.headers


def test_schema_names_every_field(sandbox: Sandbox, client: requests.Session) -> None:
    """The schema resource answers an Avro schema with the fields of the documents."""
    text = client.get(address(sandbox, "/schema"), params={"schemaId": "latest"}).text
    assert json.loads(text)["type"] == "record"
    assert all(f'"name":"{field}"' in text for field in CONVERSATION | MESSAGE | TRANSFER)


@pytest.mark.parametrize("wrong", ["client_key", "client_secret", "resource_owner_key", "resource_owner_secret"])
def test_each_of_the_four_secrets_counts(sandbox: Sandbox, wrong: str) -> None:
    """One wrong secret of the four is an unauthorized request."""
    changed: dict[str, Any] = {wrong: "wrong"}
    answer = requests.get(address(sandbox), auth=oauth(sandbox, **changed), timeout=5)
    assert (answer.status_code, answer.json()["message"]) == (401, "Unauthorized request")
    assert answer.json()["internalCode"] == 10


def test_unsigned_request_is_refused(sandbox: Sandbox) -> None:
    """Without a signature nothing is answered."""
    assert requests.get(address(sandbox), timeout=5).status_code == 401


@pytest.mark.parametrize(("seconds", "status"), [(-400, 401), (-200, 200), (200, 200), (400, 401)])
def test_clock_may_be_five_minutes_off(sandbox: Sandbox, seconds: int, status: int) -> None:
    """A timestamp more than five minutes from the server's clock is refused."""
    stamp = str(int(datetime.now(UTC).timestamp()) + seconds)
    assert requests.get(address(sandbox), auth=oauth(sandbox, timestamp=stamp), timeout=5).status_code == status


def test_replayed_request_is_refused(sandbox: Sandbox) -> None:
    """The same signed request counts once."""
    signed = requests.Request("GET", address(sandbox), auth=oauth(sandbox)).prepare()
    with requests.Session() as session:
        assert [session.send(signed, timeout=5).status_code for _ in range(2)] == [200, 401]


def test_signature_covers_the_query(sandbox: Sandbox) -> None:
    """A request whose range was changed after signing is refused."""
    url = address(sandbox, "/engagement")
    signed = requests.Request("GET", url, params=window(MIDNIGHT, AFTERNOON), auth=oauth(sandbox)).prepare()
    signed.prepare_url(url, window(MIDNIGHT - HOUR, AFTERNOON))
    with requests.Session() as session:
        assert session.send(signed, timeout=5).status_code == 401


def test_other_and_unknown_accounts_are_closed(sandbox: Sandbox, client: requests.Session) -> None:
    """The keys of one account open neither another one nor one that does not exist."""
    for account in (SMALL_SHOP, Account("11111111")):
        answer = client.get(address(sandbox, account=account))
        assert (answer.status_code, answer.json()["internalCode"]) == (403, 10)


def test_other_methods_are_not_supported(sandbox: Sandbox, client: requests.Session) -> None:
    """Anything but GET is answered with the API's code 5."""
    answer = client.post(address(sandbox))
    assert answer.status_code == 405
    assert answer.json()["message"] == "This request is not supported, verify request headers and method"
    assert answer.json()["internalCode"] == 5


@pytest.mark.parametrize("rest", ["/engagement", "/engagement?startTime=x&endTime=1", "/survey", "/schema/x"])
def test_requests_that_make_no_sense_are_not_supported(sandbox: Sandbox, client: requests.Session, rest: str) -> None:
    """A listing without a range, and resources that the sandbox has not, are refused with code 5."""
    answer = client.get(address(sandbox, rest))
    assert answer.status_code in {400, 404}
    assert answer.json()["internalCode"] == 5


def test_requests_are_counted_by_kind() -> None:
    """A test can tell what was asked for: kind, account and file."""
    with Sandbox(now=AFTERNOON) as sandbox, requests.Session() as session:
        session.auth = oauth(sandbox)
        session.get(address(sandbox))
        session.get(address(sandbox, "/engagement"), params=window(AFTERNOON - HOUR, AFTERNOON))
        assert [request.kind for request in sandbox.requests] == ["base", "listing"]
        assert sandbox.count("download") == 0


def test_clock_can_move() -> None:
    """With a function as `now`, files appear while the sandbox runs."""
    clock = [AFTERNOON]
    with Sandbox(now=lambda: clock[0]) as sandbox, requests.Session() as session:
        session.auth = oauth(sandbox)
        assert listed(session, sandbox, AFTERNOON, AFTERNOON + HOUR) == []
        clock[0] += HOUR
        assert listed(session, sandbox, AFTERNOON, AFTERNOON + HOUR) == hour_file_names(SHOP, AFTERNOON)


def test_connections_end_with_the_sandbox() -> None:
    """A client's open connection is cut when the sandbox stops."""
    with requests.Session() as session:
        with Sandbox(now=AFTERNOON) as sandbox:
            session.auth = oauth(sandbox)
            assert session.get(address(sandbox)).status_code == 200
        with pytest.raises(requests.ConnectionError):
            session.get(address(sandbox))


def test_credentials_do_not_print(sandbox: Sandbox) -> None:
    """The repr of credentials shows the account and no secret."""
    keys = sandbox.credentials(SHOP.account_id)
    assert "account_id='75555851'" in repr(keys)
    assert not any(secret in repr(keys) for secret in keys.secrets)
    assert len(set(keys.secrets)) == 4


def test_an_account_may_send_one_record_a_leg() -> None:
    """Each leg is a record with an id of its own and without transfers, which end the record before and start the next."""
    whole = conversations(SHOP, AFTERNOON, 1)
    legs = conversations(replace(SHOP, sends_legs=True), AFTERNOON, 1)
    records = {untagged(leg["conversationId"]): leg for leg in legs}

    def transfers(conversation: dict[str, Any]) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = untagged(conversation["transfers"])
        return [transfer.get("com.liveperson.dataaccess.Transfer", transfer) for transfer in found]

    assert any(transfers(conversation) for conversation in whole)
    assert len(records) == len(legs) == len(whole) + sum(len(transfers(conversation)) for conversation in whole)
    assert not any(transfers(leg) for leg in legs)
    for conversation in whole:
        moves = transfers(conversation)
        name = untagged(conversation["conversationId"])
        parts = [records[name], *(records[f"{name}-{number}"] for number in range(2, len(moves) + 2))]
        assert parts[0]["conversationStartTime"] == conversation["conversationStartTime"]
        assert parts[-1]["conversationEndTime"] == conversation["conversationEndTime"]
        assert [part["endReasonId"]["int"] for part in parts[:-1]] == [untagged(move["reason"]) for move in moves]
        assert [part["startReasonId"]["int"] for part in parts] == [0] + [2] * len(moves)
