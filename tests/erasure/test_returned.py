"""A lake restored from a copy that is older than an erasure: `verify` finds who is there again, and its advice works."""

import shlex
import shutil
from pathlib import Path

from click.testing import CliRunner
from documents import conversation, document, gz, message, name_at, put
from lakes import ask, take

from pipeline.cli.commands import main
from pipeline.erasure.erase import erase
from pipeline.lake.lake import Lake
from pipeline.load.session import writing
from pipeline.maintenance.verify import verify


def test_who_was_erased_and_is_there_again_is_found_and_erased_by_what_is_advised(tmp_path: Path) -> None:
    """Older tables with today's tombstones are no sound lake: the finding's own command makes it one."""
    lake, copy = Lake(str(tmp_path / "lake")), tmp_path / "copy"
    said = [conversation(ident, messages=[message(ident)]) for ident in ("c1", "c 2", "c3")]
    take(lake, put(tmp_path / "in", gz(document(*said)), name_at(0)))
    shutil.copytree(lake.root, copy)
    with writing(lake):
        erase(lake, "conversation", "c 2")
    assert verify(lake, read_data=True).findings == []
    for name in ("erasures", "erasure.key"):
        source = Path(lake.root, name)
        if source.is_dir():
            shutil.rmtree(copy / name, ignore_errors=True)
            shutil.copytree(source, copy / name)
        else:
            shutil.copy(source, copy / name)
    shutil.rmtree(lake.root)
    copy.rename(lake.root)
    restored = Lake(lake.root)
    [finding] = verify(restored).findings
    assert "1 erased conversation in the table again" in finding
    command = shlex.split(finding.partition("run lakehouse ")[2])
    assert command == ["erase", "--conversation-id", "c 2"]
    assert CliRunner().invoke(main, [*command, "--lake", lake.root]).exit_code == 0
    after = Lake(lake.root)
    assert verify(after, read_data=True).findings == []
    assert sorted(ask(after, "select conversation_id from conversations")) == [("c1",), ("c3",)]
