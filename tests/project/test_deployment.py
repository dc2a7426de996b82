"""The ways to run the command, of README, docs/deployment.md and deploy/, work."""

import json
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from places import ROOT

from pipeline.cli.commands import main
from pipeline.settings import FIELDS

README: Final = ROOT / "README.md"
PAGE: Final = ROOT / "docs" / "deployment.md"
DEPLOY: Final = ROOT / "deploy"
HOME: Final = "/srv/lakehouse"
OURS: Final = {name.upper() for name in FIELDS}
ORCHESTRATORS: Final = sorted(DEPLOY.glob("*/*.py"))


def blocks(page: Path, language: str) -> list[str]:
    """Return the fenced blocks of a page in one language."""
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)


def crontab(page: Path) -> list[str]:
    """Return the commands of a page's crontabs, and check their times."""
    lines = [line for block in blocks(page, "crontab") for line in block.splitlines() if not line.startswith("MAILTO=")]
    found = [re.fullmatch(r"(\d+) (\*|\d+) (\*) (\*) (\*|[0-6](?:-[0-6])?) ([^%]+)", line) for line in lines]
    assert found
    assert all(found)
    return [one[6] for one in found if one]


def exists(words: list[str]) -> bool:
    """Whether the command line has that command and its options."""
    command, *rest = words
    known = {option for param in main.commands[command].params for option in param.opts}
    return {word for word in rest if word.startswith("-")} <= known


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Return a folder in the place of the documented one, whose command says a line, and ends with the code in `code`."""
    command = tmp_path / ".venv" / "bin" / "lakehouse"
    command.parent.mkdir(parents=True)
    outcome = json.dumps({"error": "said", "loaded": 1, "of_accounts": []})
    command.write_text(
        f'#!/bin/sh\necho "said by $1" >&2\ncase "$*" in *json*) echo \'{outcome}\';; esac\nexit "$(cat {tmp_path}/code)"\n'
    )
    command.chmod(0o700)
    return tmp_path


@pytest.mark.parametrize("page", [README, PAGE, ROOT / "docs" / "operations.md"], ids=lambda page: page.name)
def test_cron_mails_only_what_did_not_end_with_0(page: Path, home: Path) -> None:
    """Cron mails the output of a line: none of a good run, the exit code and all output of any other."""
    for command in crontab(page):
        for code in (0, 1, 2, 3):
            (home / "code").write_text(str(code))
            line = ["/bin/sh", "-c", command.replace(HOME, str(home))]
            printed = subprocess.run(line, capture_output=True, text=True, check=False).stdout
            words = re.search(r"bin/lakehouse (\w+)", command)
            assert words
            mail = rf"{words[1]} ended with {code} in {re.escape(str(home))}, [0-9T:+-]+\nsaid by {words[1]}\n"
            assert re.fullmatch(mail if code else "", printed)


def test_the_workflow_is_one() -> None:
    """It is YAML with a schedule and a job that ends with a sync; secrets come from secrets, and are settings of ours."""
    (text,) = [block for block in blocks(PAGE, "yaml") if "jobs:" in block]
    workflow = yaml.safe_load(text)
    (cron,) = workflow[True]["schedule"]  # YAML 1.1 reads `on` as true; GitHub does not
    assert re.fullmatch(r"\d+ \* \* \* \*", cron["cron"])
    job = workflow["jobs"]["sync"]
    assert [step["run"] for step in job["steps"] if "run" in step and "if" not in step][-1] == "lakehouse sync"
    for name, value in job["env"].items():
        assert name in OURS or name.startswith("AWS_"), name
        assert not re.search("KEY|TOKEN|SECRET", name) or value == f"${{{{ secrets.{name} }}}}"


def installed(root: Path, **variables: object) -> Path:
    """Install the units below a root, and return their folder."""
    given = [f"{name}={value}" for name, value in {"DESTDIR": root, **variables}.items()]
    subprocess.run(["make", "install-systemd", *given], cwd=ROOT, check=True, capture_output=True)
    return root / "etc" / "systemd" / "system"


def test_the_units_are_installed_for_a_folder_a_user_and_an_address(tmp_path: Path) -> None:
    """`make install-systemd` changes folder, user and address in all units, and nothing else."""
    units = installed(tmp_path, FOLDER="/data/lp", OWNER="someone", MAILTO="you@example.com")
    assert {unit.name for unit in units.iterdir()} == {unit.name for unit in (DEPLOY / "systemd").iterdir()}
    for unit in units.iterdir():
        text = unit.read_text()
        changed = text.replace("/data/lp", HOME).replace("User=someone", "User=lakehouse").replace("you@example.com", "root")
        assert changed == (DEPLOY / "systemd" / unit.name).read_text()
        assert HOME not in text
        assert unit.stat().st_mode & 0o777 == 0o644
        for words in re.findall(r"^ExecStart=/data/lp/.venv/bin/lakehouse (.*)", text, re.MULTILINE):
            assert exists(words.split())


NOT_IN_UNITS: Final = {
    "FOLDER": ("", "lake", "./a b", "/a b", "/a\tb", "/100%", "/a'b", '/a"b', "/a\\b", "/a$b", "/a/../b"),
    "OWNER": ("", "a b", "%u", "-a"),
    "MAILTO": ("", "a b@example.com", "a'b", "$(id)", "-a"),
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in NOT_IN_UNITS.items() for value in values])
def test_no_unit_is_installed_that_systemd_would_refuse(tmp_path: Path, name: str, value: str) -> None:
    """A folder, a user or an address that is none in a unit is refused in one sentence, before anything is written."""
    command = ["make", "--silent", "install-systemd", f"DESTDIR={tmp_path}", f"{name}={value}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    sentence, _of_make = done.stderr.splitlines()
    assert (done.returncode, done.stdout) == (2, "")
    assert sentence.startswith(f"{name}: expected a")
    assert sentence.endswith(f', found "{value}"; nothing was installed')
    assert not any(tmp_path.iterdir())


def test_what_comes_next_is_said_on_this_machine_alone(tmp_path: Path) -> None:
    """The line names each timer; units below another root are for another machine."""
    command = ["make", "--silent", "install-systemd"]
    here = subprocess.run([*command, f"UNITS={tmp_path}/here"], cwd=ROOT, capture_output=True, text=True, check=True)
    timers = sorted(unit.name for unit in (DEPLOY / "systemd").glob("*.timer"))
    assert here.stdout == f"Next: systemctl daemon-reload && systemctl enable --now {' '.join(timers)}\n"
    assert f"sudo systemctl enable --now {' '.join(timers)}\n" in PAGE.read_text()
    away = subprocess.run([*command, f"DESTDIR={tmp_path}/away"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert (away.stdout, away.stderr) == ("", "")


def test_systemd_takes_the_units(home: Path, tmp_path: Path) -> None:
    """Systemd finds no unknown key, no wrong time and no wrong name of a file, and rates the services below 2 of 10."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("there is no systemd to ask")
    units = installed(tmp_path / "root", FOLDER=home, OWNER="root")
    files = sorted(map(str, units.iterdir()))
    done = subprocess.run(["systemd-analyze", "verify", *files], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    services = [str(DEPLOY / "systemd" / f"lakehouse-{name}.service") for name in ("sync", "status", "verify")]
    subprocess.run(["systemd-analyze", "security", "--offline=true", "--threshold=20", *services], check=True)


def test_the_services_are_confined_alike() -> None:
    """The status and the check of all data may do what the sync may, but write the lake."""
    of_sync, *others = [(DEPLOY / "systemd" / f"lakehouse-{name}.service").read_text() for name in ("sync", "status", "verify")]
    assert "ReadWritePaths=/srv/lakehouse\n" in of_sync
    for text in others:
        assert text.endswith(of_sync[of_sync.index("ProtectSystem=strict") :])
        assert "ReadWritePaths" not in text


def test_systemd_runs_what_cron_runs_each_week() -> None:
    """The unit's command and time of day are those of the line of cron for Sundays."""
    (line,) = [line for line in blocks(PAGE, "crontab")[0].splitlines() if " * * 0 " in line]
    minute, hour = line.split()[:2]
    unit = DEPLOY / "systemd" / "lakehouse-verify.service"
    (command,) = re.findall(r"^ExecStart=/srv/lakehouse/(.*)$", unit.read_text(), re.MULTILINE)
    assert f"$({command} 2>&1)" in line
    assert f"OnCalendar=Sun {int(hour):02}:{minute}\n" in unit.with_suffix(".timer").read_text()


def instructions() -> list[tuple[str, str]]:
    """The instructions of the Dockerfile: the word and the rest."""
    text = (DEPLOY / "Dockerfile").read_text().replace("\\\n", "")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(line.partition(" ")[0], line.partition(" ")[2]) for line in lines]


def test_the_image_runs_the_command_as_a_user_without_rights() -> None:
    """The last stage has a Python that we test, a number as user, no secret, the command as entry and as health check."""
    found = instructions()
    last = dict(found[max(place for place, (word, _) in enumerate(found) if word == "FROM") :])
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    image = re.match(r"python:(3\.\d+)-slim", last["FROM"])
    assert image
    assert f"Programming Language :: Python :: {image[1]}" in project["classifiers"]
    assert {rest.partition(" AS ")[0] for word, rest in found if word == "FROM"} == {last["FROM"]}
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", last["USER"])
    named = {word.partition("=")[0] for word in shlex.split(last["ENV"])}
    assert named <= {"PATH", "LAKE_URI", "LAKE_HISTORY"}
    assert json.loads(last["ENTRYPOINT"]) == ["lakehouse"]
    check = json.loads(last["HEALTHCHECK"].partition(" CMD ")[2])
    assert check[0] == "lakehouse"
    assert exists(check[1:])


def test_the_image_keeps_the_views() -> None:
    """The line that binds the views once is a program that runs."""
    (run,) = [rest for word, rest in instructions() if word == "RUN" and "template" in rest]
    (program,) = re.findall(r"python -P -c '(.*)'", run)
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)


def test_only_sources_enter_the_image(tmp_path: Path) -> None:
    """The image is made of named files and folders alone, which suffice for the wheel, and never of `.env` or a lake."""
    everything, *rest = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if not line.startswith("#")]
    assert everything == "*"
    taken = [line.removeprefix("!") for line in rest if line.startswith("!")]
    assert all(re.fullmatch(r"[\w.]+", name) and (ROOT / name).exists() for name in taken)
    assert set(rest) >= {"**/.env"}
    for name in taken:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("*.so", "__pycache__", "vega*.js"))
        else:
            shutil.copy(ROOT / name, tmp_path / name)
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel"]
    subprocess.run(build, cwd=tmp_path, check=True, capture_output=True)
    (wheel,) = (tmp_path / "dist").iterdir()
    assert shutil.which("cc") is None or "linux" in wheel.name or "macosx" in wheel.name


def test_an_image_for_a_bucket_adds_the_extra() -> None:
    """The page's image has the library of the extra s3, and the user of ours."""
    (text,) = blocks(PAGE, "dockerfile")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (library,) = project["optional-dependencies"]["s3"]
    assert f"'{library}'" in text
    assert text.rstrip().endswith(f"USER {dict(instructions())['USER']}")


def manifests() -> dict[str, Any]:
    """The objects for Kubernetes, by kind."""
    documents = yaml.safe_load_all((DEPLOY / "kubernetes" / "cronjob.yaml").read_text())
    return {document["kind"]: document for document in documents}


def test_the_cron_job_is_confined_and_runs_alone() -> None:
    """The pod is the image's user without rights, writes to the lake and /tmp alone, and the keys come from a secret."""
    found = manifests()
    cron_job = found["CronJob"]["spec"]
    assert cron_job["concurrencyPolicy"] == "Forbid"
    pod = cron_job["jobTemplate"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    user = f"{pod['securityContext']['runAsUser']}:{pod['securityContext']['runAsGroup']}"
    assert user == dict(instructions())["USER"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    mounts = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
    assert mounts == {"/lake": "lake", "/tmp": "tmp"}  # noqa: S108  # a path in the pod
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    assert volumes["lake"]["persistentVolumeClaim"]["claimName"] == found["PersistentVolumeClaim"]["metadata"]["name"]
    assert container["envFrom"] == [{"secretRef": {"name": "lakehouse"}}]
    assert all("value" not in variable for variable in container["env"])
    assert exists(container["args"])


def test_the_cron_job_tries_again_only_where_that_can_help() -> None:
    """A job ends after wrong settings and after files that were set aside, and names its container."""
    job = manifests()["CronJob"]["spec"]["jobTemplate"]["spec"]
    (rule,) = job["podFailurePolicy"]["rules"]
    (container,) = job["template"]["spec"]["containers"]
    assert rule["action"] == "FailJob"
    assert rule["onExitCodes"] == {"containerName": container["name"], "operator": "In", "values": [2, 3]}
    assert job["template"]["spec"]["restartPolicy"] == "Never"  # a policy of failures needs it


@pytest.mark.parametrize("path", ORCHESTRATORS, ids=lambda path: path.parent.name)
def test_an_orchestrator_calls_a_command_that_exists(path: Path) -> None:
    """The file is Python, and its command and options are ours; whether the orchestrator takes it is in a longer test."""
    text = path.read_text()
    compile(text, path, "exec")
    (command,) = re.findall(r"^COMMAND = \[.*?, (.*)\]$", text, re.MULTILINE)
    assert exists([*re.findall(r'"([^"]+)"', command), "--since", "--until"])


STOPPED_TASK: Final = """
import ast, json, signal, subprocess, sys
from contextlib import suppress
from typing import Any

def stop(*_): raise TimeoutError("the task's time is over")

FOLDER, source = sys.argv[1:]
[function] = [one for one in ast.parse(open(source).read()).body if getattr(one, "name", "") == "run"]
exec(compile(ast.Module([function], []), source, "exec"))
signal.signal(signal.SIGALRM, stop)
signal.setitimer(signal.ITIMER_REAL, 0.5)
run(["./command"])
"""


@pytest.mark.parametrize("path", ORCHESTRATORS, ids=lambda path: path.parent.name)
def test_a_task_that_is_stopped_lets_its_run_load_what_it_has(path: Path, tmp_path: Path) -> None:
    """The orchestrator's exception ends the command by SIGTERM, waits for it, and goes on."""
    command = tmp_path / "command"
    command.write_text("#!/bin/sh\ntrap 'sleep 1; echo all >loaded; exit 143' TERM\nwhile :; do sleep 0.1; done\n")
    command.chmod(0o700)
    task = [sys.executable, "-c", STOPPED_TASK, str(tmp_path), str(path)]
    done = subprocess.run(task, capture_output=True, text=True, check=False)
    assert done.stderr.splitlines()[-1] == "TimeoutError: the task's time is over"
    assert (tmp_path / "loaded").read_text() == "all\n"


def orchestrate(home: Path, code: int, command: list[str], **environment: str) -> subprocess.CompletedProcess[str]:
    """Run an orchestrator's command in a folder of its own, where `lakehouse` ends with this code."""
    (home / "code").write_text(str(code))
    path = f"{Path(shutil.which(command[0]) or '').parent}:/usr/bin:/bin"
    variables = {"PATH": path, "HOME": str(home)} | environment
    return subprocess.run(command, cwd=home, env=variables, capture_output=True, text=True, check=False)


@pytest.mark.long
def test_airflow_runs_the_dag(home: Path) -> None:
    """A run succeeds after 0 and 3, after 2 it fails at once, after 1 it is tried again."""
    if shutil.which("airflow") is None:
        pytest.skip("there is no Airflow to ask")
    (home / "dags").mkdir()
    text = (DEPLOY / "airflow" / "lakehouse_sync.py").read_text()
    (home / "dags" / "sync.py").write_text(text.replace(HOME, str(home)).replace("timedelta(minutes=5)", "timedelta(0)"))
    airflow = {"AIRFLOW_HOME": str(home), "AIRFLOW__CORE__LOAD_EXAMPLES": "False"}
    assert orchestrate(home, 0, ["airflow", "db", "migrate"], **airflow).returncode == 0
    tries = {0: 1, 3: 1, 2: 1, 1: 4}
    for code, expected in tries.items():
        day = f"2026-11-0{code + 1}T12:17:00+00:00"
        done = orchestrate(home, code, ["airflow", "dags", "test", "lakehouse_sync", day], **airflow)
        said = done.stdout + done.stderr
        assert (done.returncode == 0) == (code in {0, 3}), said
        assert said.count("said by sync") == expected, said


@pytest.mark.long
def test_dagster_materializes_the_asset(home: Path) -> None:
    """A run succeeds after 0 and 3, after 2 it fails at once, after 1 it is tried again."""
    if shutil.which("dagster") is None:
        pytest.skip("there is no Dagster to ask")
    text = (DEPLOY / "dagster" / "lakehouse_sync.py").read_text()
    (home / "sync.py").write_text(text.replace(HOME, str(home)).replace("delay=300", "delay=0"))
    tries = {0: 1, 3: 1, 2: 1, 1: 4}
    for code, expected in tries.items():
        command = ["dagster", "asset", "materialize", "--select", "lake", "-f", "sync.py"]
        done = orchestrate(home, code, command, DAGSTER_DISABLE_TELEMETRY="1")
        said = done.stdout + done.stderr
        assert (done.returncode == 0) == (code in {0, 3}), said
        assert said.count("said by sync") == expected, said
