"""The console script: the command itself, and every verb of its table."""

import json
import os
import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from sweep import cli, run
from sweep.spec import command, schema

PROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]


def call(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    """The exit status of the console script."""
    monkeypatch.setattr("sys.argv", [cli.PROGRAM, *words])
    monkeypatch.setattr("signal.signal", lambda *_: None)  # the handlers of the suite's own process stay
    with pytest.raises(SystemExit) as end:
        cli.main()
    return int(end.value.code or 0)


def test_the_script_is_installed_under_its_name() -> None:
    assert PROJECT["scripts"] == {cli.PROGRAM: f"{cli.__name__}:{cli.main.__name__}"}


def test_without_a_verb_it_is_the_sweep(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(monkeypatch, "--schema") == 0
    assert json.loads(capsys.readouterr().out) == schema.schema()
    assert call(monkeypatch, "--plam") == 2
    assert capsys.readouterr().err == "--plam: got an unknown flag; did you mean --plan?\n"


@pytest.mark.parametrize("flag", ["--schema", "--example"])
def test_a_reader_that_closes_the_pipe_ends_it_quietly(flag: str) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as pipe:
        done = subprocess.run([sys.executable, run.__file__, flag], stdout=pipe, stderr=subprocess.PIPE, text=True)
    assert (done.returncode, done.stderr) == (128 + signal.SIGPIPE, "")


def test_the_help_is_that_of_the_sweep_and_a_line_per_verb(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(monkeypatch, "--help") == 0
    shown = capsys.readouterr().out
    assert shown.startswith(command.parser(cli.PROGRAM).format_help())
    assert [line.split()[0] for line in shown.partition("verbs (")[2].splitlines()[1:]] == list(cli.VERBS)


@pytest.mark.parametrize("name", cli.VERBS)
def test_a_verb_is_the_module_that_python_runs(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(monkeypatch, name, "--help") == 0
    assert capsys.readouterr().out == cli.verb(name).parser().format_help()
    assert cli.VERBS[name].removesuffix(".__main__") in (f"sweep.{name}", f"sweep.verbs.{name}")


def test_a_verb_passes_its_status_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert call(monkeypatch, "report", str(tmp_path), "demo") == 2
