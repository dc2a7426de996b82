"""Every test begins without what the surroundings say; `--shuffle SEED` runs files, and tests in each, in another order."""

import os
import random
import re
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

_SURROUNDINGS = re.compile(
    r"(LAKE|LP|AWS|AZURE|GOOGLE|DASK|CLICOLOR)_.*|(HTTPS?|ALL|NO|FTP)_PROXY|REQUESTS_CA_BUNDLE|CURL_CA_BUNDLE|SSL_CERT_(FILE|DIR)"
    r"|(FORCE|NO)_COLOR|CLICOLOR|COLUMNS|LINES|TTY_\w+|HISTFILE|PAGER|EDITOR",
    re.IGNORECASE,
)
"""By these settings, a network or a terminal come in; time zone and language stay, since nothing may depend on them."""

# When this is read: before any module of ours is, and for whatever process a test starts.
for _name in [name for name in os.environ if _SURROUNDINGS.fullmatch(name)]:
    del os.environ[_name]
# Some images forbid compiled modules: then every process compiles all of this anew, before it does anything.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False
for _number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
    if signal.getsignal(_number) is signal.SIG_IGN:  # as a shell in the background and nohup start what they run
        signal.signal(_number, signal.default_int_handler if _number == signal.SIGINT else signal.SIG_DFL)

from cookbook_lake import make_cookbook_lake  # noqa: E402
from scripted_api import CREDENTIALS, QUICK, ScriptedApi  # noqa: E402
from stores import serving  # noqa: E402

from pipeline.api.client import DataAccessClient  # noqa: E402
from pipeline.lake.lake import Lake  # noqa: E402
from pipeline.schema import TABLES  # noqa: E402
from pipeline.text import SECRETS  # noqa: E402
from pipeline.warehouse.library import create_views  # noqa: E402


@pytest.fixture(autouse=True)
def _environment() -> Iterator[None]:
    """Undo a test's changes of the environment, and forget the secrets that it used.

    Only what differs is put back: a library's thread that reads the environment meanwhile may end the process.
    """
    before = dict(os.environ)
    yield
    for name in os.environ.keys() - before.keys():
        del os.environ[name]
    for name, value in before.items():
        if os.environ.get(name) != value:
            os.environ[name] = value
    SECRETS.forget()


@pytest.fixture(scope="module")
def empty() -> Iterator[duckdb.DuckDBPyConnection]:
    """Yield a database with every table and view, without rows."""
    with duckdb.connect() as connection:
        for table in TABLES.values():
            connection.register("no_rows", table.arrow_schema.empty_table())
            connection.execute(f"create table {table.name} as from no_rows")
        create_views(connection)
        yield connection


@pytest.fixture(scope="session")
def shops(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """The lake of the cookbook, made once; nobody may write to it."""
    return make_cookbook_lake(tmp_path_factory.mktemp("shops"))


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """A lake in a folder that nothing was loaded into yet."""
    return Lake(str(tmp_path / "lake"))


@pytest.fixture(scope="session")
def s3_address() -> Iterator[str]:
    """Where an S3 store answers that has no bucket yet; to start it takes seconds."""
    with serving() as address:
        yield address


@pytest.fixture
def api() -> Iterator[ScriptedApi]:
    """An API on loopback that answers as a test has written it."""
    with ScriptedApi() as api:
        yield api


@pytest.fixture
def client(api: ScriptedApi) -> Iterator[DataAccessClient]:
    """A client of that API, which does not wait long."""
    with DataAccessClient(CREDENTIALS, api.base_url, limits=QUICK) as client:
        yield client


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--shuffle SEED`."""
    parser.addoption("--shuffle", type=int, metavar="SEED", help="run the tests in another order")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put the files in another order, and the tests within each, so that what they share is still made once."""
    seed = config.getoption("--shuffle")
    if seed is not None:
        files = sorted({item.path for item in items})
        chance = random.Random(seed)
        chance.shuffle(files)
        chance.shuffle(items)
        items.sort(key=lambda item: files.index(item.path))
