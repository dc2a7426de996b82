"""Undocumented ways of real accounts' servers work without a setting."""

import io
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from commands import lakehouse
from documents import conversation, document, gz, name_at
from places import DATA
from scripted_api import LISTING_PATH, QUICK, Reply, ScriptedApi, listed, says

from pipeline.api.client import DataAccessClient
from pipeline.errors import UnexpectedAnswerError
from pipeline.sandbox import Account, Sandbox, file_bytes

START = datetime(2016, 7, 25, 18, tzinfo=UTC)


@pytest.mark.parametrize(
    "refusal",
    [
        says("This request is not supported, verify request headers and method", code=5, status=400),
        says("Not Acceptable", code=0, status=406),
        Reply(status=415),
        says("Unauthorized request", code=10, status=401),
    ],
)
def test_a_type_that_a_server_refuses_for_files_is_exchanged_once(
    api: ScriptedApi, client: DataAccessClient, refusal: Reply
) -> None:
    """Files are asked for as anything, then as JSON, and from then on as what worked; listings always as JSON."""
    names = [name_at(0), name_at(1)]
    api.script[LISTING_PATH] = [api.listing(*map(api.entry, names))]
    whole = Reply(gz(document(conversation("c1"))))
    api.script[f"{LISTING_PATH}/{names[0]}"] = [refusal, whole]
    api.script[f"{LISTING_PATH}/{names[1]}"] = [whole]
    for file in listed(client, START, START + timedelta(hours=2)):
        client.download(file, body := io.BytesIO())
        assert body.getvalue() == whole.body
    accepted = [seen.headers["Accept"] for seen in api.seen]
    assert accepted == ["application/json"] * 2 + ["*/*", "application/json", "application/json"]


def test_a_file_that_is_refused_as_either_type_is_refused_in_the_first_ones_words(
    api: ScriptedApi, client: DataAccessClient
) -> None:
    """Each type is asked for once, and what was asked for first comes first again."""
    api.script[LISTING_PATH] = [api.listing(api.entry(name_at(0)))]
    api.script[f"{LISTING_PATH}/{name_at(0)}"] = [says("first", code=5, status=400), says("second", code=5, status=400)]
    [file] = listed(client, START, START + timedelta(hours=2))
    with pytest.raises(UnexpectedAnswerError, match="first"):
        client.download(file, io.BytesIO())
    assert [seen.headers["Accept"] for seen in api.seen[2:]] == ["*/*", "application/json"]


@pytest.mark.parametrize("fault", ["only-json", "json-406", "json-401", "only-any"])
def test_the_sandbox_knows_each_of_these_servers(fault: str) -> None:
    """A file comes whichever type its server takes."""
    now = datetime(2024, 3, 10, 12, 30, tzinfo=UTC)
    with (
        Sandbox([Account("4500", conversations_per_day=60)], now=now, faults=[fault]) as sandbox,
        DataAccessClient(sandbox.credentials("4500"), sandbox.base_url, limits=QUICK) as client,
    ):
        file = listed(client, now - timedelta(hours=3), now)[0]
        client.download(file, body := io.BytesIO())
    assert body.getvalue() == file_bytes(sandbox.accounts["4500"], file.name)
    assert sandbox.misbehaviour.strikes[fault] == (0 if fault == "only-any" else 1)


def test_a_certificate_of_ones_own_is_trusted_by_a_line_of_env(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over TLS an untrusted certificate names the variable that helps, which `.env` may set; a lost file is a wrong setting."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "")
    certificate = DATA / "loopback.pem"
    keys = {f"LP_{name}": "x" for name in ("APP_KEY", "APP_SECRET", "ACCESS_TOKEN", "ACCESS_TOKEN_SECRET")}
    with ScriptedApi(certificate) as api:
        api.script[LISTING_PATH] = [api.listing()]
        account = {"LP_ACCOUNT_ID": "75555851", "LP_BASE_URL": api.base_url, **keys}
        for line, code in ((None, 1), (certificate, 0), (tmp_path / "nowhere.pem", 2)):
            monkeypatch.delenv("REQUESTS_CA_BUNDLE")
            (tmp_path / ".env").write_text(f"REQUESTS_CA_BUNDLE={line}\n" if line else "")
            done = lakehouse("sync", "--dry-run", cwd=tmp_path, **account)
            assert (done.returncode, "REQUESTS_CA_BUNDLE" in done.stderr) == (code, code > 0), done.stderr
            monkeypatch.setenv("REQUESTS_CA_BUNDLE", "")
