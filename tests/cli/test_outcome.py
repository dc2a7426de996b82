"""The outcome of a run for programs: one object on standard output, and heartbeats that never change the run."""

import json
import re
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from commands import lakehouse, process
from documents import conversation, document, gz, name_at, put
from scripted_api import ACCOUNT, CANARIES, LISTING_PATH, Reply, ScriptedApi

TOKEN = "canary-of-the-heartbeat"


class Watcher(ThreadingHTTPServer):
    """A service of heartbeats: it keeps the path and the body of each request, and answers `status`."""

    def __init__(self, status: int = 200) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.status = status
        self.seen: list[tuple[str, Any]] = []

    @property
    def url(self) -> str:
        """The URL of the check."""
        return f"http://127.0.0.1:{self.server_address[1]}/{TOKEN}"


class Handler(BaseHTTPRequestHandler):
    """Takes what is posted."""

    server: Watcher

    def do_POST(self) -> None:
        """Keep the request."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.seen.append((self.path, json.loads(body) if body else None))
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Print nothing."""


@pytest.fixture
def watcher() -> Iterator[Watcher]:
    """A service that is there."""
    with Watcher() as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def files(folder: Path) -> Path:
    """A folder with a good file, and one that is none."""
    put(folder, gz(document(conversation("c1"), conversation("c2"))), name_at(1))
    put(folder, b"no gzip", name_at(2))
    return folder


def test_a_load_gives_one_object(tmp_path: Path) -> None:
    """Standard output is one object whose counts are those of the summary, and names what was set aside."""
    done = lakehouse("load", str(files(tmp_path)), "--lake", "lake", "--format", "json", cwd=tmp_path)
    found = json.loads(done.stdout)

    assert done.returncode == found["exit_code"] == 3
    assert (found["command"], found["result"], found["error"]) == ("load", "set aside", None)
    assert (found["loaded"], found["conversations"], found["rejected_files"], found["accounts"]) == (1, 2, 1, 0)
    (of_account,) = found["of_accounts"]
    assert list(of_account["rejected"]) == [name_at(2)]
    assert re.search(r"1 file loaded: 2 conversations", done.stderr)
    assert found["begin"] <= found["end"]


@pytest.mark.parametrize("fault", ["no file", "no folder", "damaged log", "wrong setting"])
def test_a_load_that_fails_gives_one_too(tmp_path: Path, fault: str) -> None:
    """A run that ends with a sentence has the very same in the object, with its exit code."""
    put(tmp_path, gz(document(conversation("c1"))), name_at(1))
    settings = {"LP_DOWNLOADS": "many"} if fault == "wrong setting" else {}
    if fault == "no folder":
        (tmp_path / "lake").write_text("a file")
    if fault == "damaged log":
        assert lakehouse("load", name_at(1), "--lake", "lake", cwd=tmp_path).returncode == 0
        for entry in (tmp_path / "lake" / "conversations" / "_delta_log").glob("*.json"):
            entry.write_text("{")
    named = "none.gz" if fault == "no file" else name_at(1)
    done = lakehouse("load", named, "--lake", "lake", "--format", "json", cwd=tmp_path, **settings)

    found = json.loads(done.stdout)
    assert done.returncode == found["exit_code"] == (2 if fault == "wrong setting" else 1)
    assert found["result"] == "failed"
    assert done.stderr.splitlines()[-1].startswith(f"lakehouse: {found['error']}")


def test_a_sync_gives_its_accounts(tmp_path: Path) -> None:
    """A sync without settings, and one of a source that refuses, give an object, too; the settings' values are in none."""
    done = lakehouse("sync", "--lake", "lake", "--format", "json", cwd=tmp_path)
    assert (done.returncode, json.loads(done.stdout)["exit_code"]) == (2, 2)
    keys = dict(zip(("LP_APP_KEY", "LP_APP_SECRET", "LP_ACCESS_TOKEN", "LP_ACCESS_TOKEN_SECRET"), CANARIES, strict=True))
    with ScriptedApi() as api:
        api.script[LISTING_PATH] = [Reply(status=401)]
        settings = keys | {"LP_ACCOUNT_ID": ACCOUNT, "LP_BASE_URL": api.base_url}
        done = lakehouse("sync", "--lake", "lake", "--format", "json", cwd=tmp_path, **settings)
    found = json.loads(done.stdout)
    assert done.returncode == found["exit_code"] == 1
    assert [one["account_id"] for one in found["of_accounts"]] == [ACCOUNT]
    assert not any(canary in done.stdout for canary in CANARIES)
    refused = lakehouse("sync", "--dry-run", "--format", "json", "--lake", "lake", cwd=tmp_path)
    assert (refused.returncode, refused.stdout) == (2, "")


def test_heartbeats_tell_begin_and_end(tmp_path: Path, watcher: Watcher) -> None:
    """A run tells that it began, then that it succeeded, or failed where its exit code is not 0; bodies have counts alone."""
    folder = tmp_path / "files"
    folder.mkdir()
    files(folder)
    good = lakehouse("load", str(folder / name_at(1)), cwd=tmp_path, LP_PING_URL=watcher.url)
    bad = lakehouse("load", str(folder), cwd=tmp_path, LP_PING_URL=watcher.url)
    gone = lakehouse("load", "none.gz", cwd=tmp_path, LP_PING_URL=f"{watcher.url}/")

    assert [done.returncode for done in (good, bad, gone)] == [0, 3, 1]
    assert [path for path, _ in watcher.seen] == [
        *(f"/{TOKEN}/start", f"/{TOKEN}"),
        *(f"/{TOKEN}/start", f"/{TOKEN}/fail"),
        *(f"/{TOKEN}/start", f"/{TOKEN}/fail"),
    ]
    bodies = [body for _, body in watcher.seen if body]
    assert [(body["exit_code"], body["loaded"], body["unchanged"]) for body in bodies] == [(0, 1, 0), (3, 0, 1), (1, 0, 0)]
    words = {name: value for body in bodies for name, value in body.items() if not isinstance(value, int | float)}
    assert words.keys() == {"command", "version", "result"}
    told = "".join(done.stdout + done.stderr for done in (good, bad, gone))
    assert TOKEN not in told


@pytest.mark.parametrize("fault", ["status", "refused", "redirect"])
def test_a_heartbeat_that_fails_changes_nothing(tmp_path: Path, fault: str) -> None:
    """A service that is down, refuses or redirects costs two lines without the URL; the run and its exit code are the same."""
    put(tmp_path, gz(document(conversation("c1"))), name_at(1))
    with Watcher({"status": 500, "redirect": 302}.get(fault, 200)) as server:
        if fault != "refused":
            Thread(target=server.serve_forever, daemon=True).start()
            url = server.url
        else:
            url = "http://127.0.0.1:9/" + TOKEN
        done = lakehouse("load", name_at(1), cwd=tmp_path, LP_PING_URL=url)
        if fault != "refused":
            server.shutdown()

    assert done.returncode == 0
    assert done.stderr.count("the heartbeat to the URL of LP_PING_URL failed") == 2
    assert TOKEN not in done.stderr
    assert "1 file loaded" in done.stderr


def test_a_url_that_is_none_is_told_and_fails_no_run(tmp_path: Path) -> None:
    """A value of LP_PING_URL that is no URL costs a line, in which it is not repeated; doctor warns of it."""
    put(tmp_path, gz(document(conversation("c1"))), name_at(1))
    for value in (TOKEN, "ftp://host/x", "https:///x", "http://[::1"):
        done = lakehouse("load", name_at(1), cwd=tmp_path, LP_PING_URL=value)
        assert done.returncode == 0
        assert "LP_PING_URL: expected a URL" in done.stderr
        assert value not in done.stderr
    assert "LP_PING_URL is no URL" in lakehouse("doctor", cwd=tmp_path, LP_PING_URL=TOKEN).stdout


@pytest.mark.parametrize("name", ["LP_DOWNLOADS", "LP_MAX_FILE_BYTES", "LP_ACCOUNT_ID"])
def test_a_wrong_setting_is_told_wherever_a_run_is(tmp_path: Path, watcher: Watcher, name: str) -> None:
    """By the exit code, the heartbeat and a row of runs, whichever setting it is."""
    put(tmp_path, gz(document(conversation("c1"))), name_at(1))
    assert lakehouse("load", name_at(1), cwd=tmp_path).returncode == 0
    assert lakehouse("sync", cwd=tmp_path, LP_PING_URL=watcher.url, **{name: "x y"}).returncode == 2
    assert [path for path, _ in watcher.seen] == [f"/{TOKEN}/start", f"/{TOKEN}/fail"]
    rows = lakehouse("sql", "select exit_code, error from runs where command = 'sync'", "--format", "csv", cwd=tmp_path)
    assert rows.stdout.split() == ["exit_code,error", "2,settings"]


def test_an_answer_that_never_ends_holds_no_run(tmp_path: Path) -> None:
    """A heartbeat whose answer comes byte by byte takes five seconds, and the run goes on."""
    put(tmp_path, gz(document(conversation("c1"))), name_at(1))
    with socket.create_server(("127.0.0.1", 0)) as server:

        def drip() -> None:
            with suppress(OSError):
                while True:
                    client, _ = server.accept()
                    Thread(target=slowly, args=(client,), daemon=True).start()

        def slowly(client: socket.socket) -> None:
            with suppress(OSError), client:
                client.sendall(b"HTTP/1.1 200 OK\r\n")
                while True:
                    client.sendall(b"X")
                    time.sleep(0.5)

        Thread(target=drip, daemon=True).start()
        began = time.monotonic()
        done = lakehouse("load", name_at(1), cwd=tmp_path, LP_PING_URL=f"http://127.0.0.1:{server.getsockname()[1]}/x")
    assert done.returncode == 0
    assert done.stderr.count("no answer in time") == 2
    assert time.monotonic() - began < 60


def test_a_run_without_either_loads_no_more(tmp_path: Path) -> None:
    """A plain load imports neither the HTTP library nor the metadata of packages for what nobody asked for."""
    put(tmp_path, gz(document(conversation("c1"))), name_at(1))
    done = process("load", name_at(1), "--lake", "lake", cwd=tmp_path, PYTHONPROFILEIMPORTTIME="1")
    assert done.returncode == 0
    assert "| requests\n" not in done.stderr
