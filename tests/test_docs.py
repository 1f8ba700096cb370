"""What README, CONTRIBUTING, CHANGELOG and docs/ say is so: links, commands, configs and generated parts.

`HOW` says of every command how it is checked; a command of a program that is not in it fails.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import urllib.parse
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from sweep import cli, run
from sweep.cluster import submit
from sweep.spec import command
from sweep.spec import sweep as sweep_config
from tests import pages
from tests.pages import PAGES, ROOT, Named
from tests.sweep.own_data import rows_of, write_rows, write_teacher
from trainables.angle_file import AXES, History
from trainables.config import TrialConfig

REFERENCE = pages.reference()
LINKS = [Named(str(page.relative_to(ROOT)), link) for page in PAGES for link in pages.links(page)]
OWN_DATA = "sweep/configs/real/"
"""Shipped configs whose data a person has to bring."""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A person's working directory: data, a teacher, and the configs that the pages name."""
    for split in ("train", "dev", "test"):
        write_rows(tmp_path / f"{split}.jsonl", rows_of(split, "sentence"))
    write_teacher(tmp_path / "teacher", num_hidden_layers=6, max_position_embeddings=512)
    (tmp_path / "sweep.yaml").write_text((ROOT / "sweep" / "templates" / "example.yaml").read_text())
    (tmp_path / "films.yaml").write_text(next(text for page, text in pages.blocks("yaml") if page == "README.md"))
    (tmp_path / "trec.yaml").write_text(next(text for page, text in pages.blocks("yaml") if page == "docs/walk.md"))
    for split in ("train", "test"):
        lines = [f"{row['text']},{row['label']}" for row in rows_of(split) * 10]
        lines = [f"{number} {line}" for number, line in enumerate(lines)]
        (tmp_path / f"{split}.csv").write_text("\n".join(["question,label", *lines]))
    (tmp_path / "my_strategy.py").symlink_to(ROOT / "docs" / "plugins" / "strategy.py")
    for name in ("sweep", "docs", "tests"):
        (tmp_path / name).symlink_to(ROOT / name)
    for name in ("SWEEP_STORAGE", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def make(words: list[str], folder: Path) -> None:
    """The target is there, and every variable is one that the Makefile reads."""
    makefile = (ROOT / "Makefile").read_text()
    for word in words:
        name, _, value = word.partition("=")
        assert not value or f"$({name})" in makefile, word
    subprocess.run(["make", "--dry-run", *words], cwd=ROOT, capture_output=True, check=True)


def sweep(words: list[str], folder: Path) -> None:
    """Planned as it stands, in a folder that has what it names; what asks for data that no one ships is parsed."""
    words = words[: words.index(">")] if ">" in words else words
    asked = command.parse(words)
    if asked.config and str(asked.config).startswith(OWN_DATA):
        assert (ROOT / asked.config).is_file()
        return
    is_printed = asked.plan or asked.example or asked.schema
    assert run.main(words if is_printed else [*words, "--plan"]) == 0


def script(words: list[str], folder: Path) -> None:
    """A verb with words that its parser takes, or the sweep."""
    if words[0] in cli.VERBS:
        cli.verb(words[0]).parser().parse_args(words[1:])
    else:
        sweep(words, folder)


def python(words: list[str], folder: Path) -> None:
    """A script or a module that is there; with words that it takes."""
    if words[0] == "sweep/run.py":
        sweep(words[1:], folder)
    elif words[0] != "-m":
        assert (ROOT / words[0]).is_file()
    else:
        assert find_spec(words[1])
        module(words[1], words[2:], folder)


def module(name: str, words: list[str], folder: Path) -> None:
    if name == "pytest":
        assert all((ROOT / word).is_file() for word in words if word.startswith("tests/"))
    elif name == "sweep.cluster.submit":
        submit.parser().parse_known_args(words)
    elif words:
        script([name.removeprefix("sweep."), *words], folder)


def ray(words: list[str], folder: Path) -> None:
    """A job: what comes behind `--` is the command of a laptop."""
    assert words[:2] in (["job", "submit"], ["job", "stop"])
    if entrypoint := words[words.index("--") + 1 :] if "--" in words else []:
        check(shlex.join(entrypoint), folder)


def shell(words: list[str], folder: Path) -> None:
    """Nothing of this project: its syntax alone."""


HOW: dict[str, Callable[[list[str], Path], None]] = {
    "make": make,
    "python": python,
    "distillation-sweep": script,
    "ray": ray,
    "docker": shell,
    "export": shell,
    "openssl": shell,
    "pre-commit": shell,
    "ssh": shell,
}


def check(text: str, folder: Path) -> None:
    subprocess.run(["sh", "-n", "-c", text], check=True)
    program, *words = shlex.split(text)
    HOW[program.removeprefix(".venv/bin/")](words, folder)


@pytest.mark.parametrize("said", pages.commands(), ids=lambda said: said.text)
def test_a_command_does_what_it_says(said: Named, folder: Path) -> None:
    check(said.text, folder)


@pytest.mark.parametrize("link", LINKS, ids=lambda link: f"{link.page} {link.text}")
def test_a_link_leads_somewhere(link: Named) -> None:
    parts = urllib.parse.urlsplit(link.text)
    if parts.scheme:
        assert parts.scheme == "https"
        assert re.fullmatch(r"[\w-]+(\.[\w-]+)+", parts.netloc)
        return
    page = ROOT / link.page
    target = (page.parent / parts.path).resolve() if parts.path else page
    assert target.is_file()
    assert not parts.fragment or parts.fragment in pages.anchors(target)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_generated_parts_are_up_to_date(page: Path) -> None:
    text = page.read_text()
    assert REFERENCE["filled"](text) == text, "write them again: python docs/reference.py"


def test_every_key_of_a_config_is_described() -> None:
    rows = [line for line in REFERENCE["config"]().splitlines() if line.startswith("| `")]
    assert len(rows) > 100
    assert [row for row in rows if row.endswith("|  |")] == []


@pytest.mark.parametrize("block", pages.blocks("yaml"), ids=lambda block: block.page)
def test_a_config_is_one(block: Named, folder: Path) -> None:
    """Read as the command reads it; a model or a task that stands alone is completed by a built-in one."""
    config = folder / "page.yaml"
    config.write_text(block.text if block.text.startswith("name: ") else f"name: page\n{block.text}")
    base = sweep_config.load(config).base
    TrialConfig.model_validate({"model": "tiny-bert", "task": "natural-logic", **base})


@pytest.mark.parametrize("block", pages.blocks("python"), ids=lambda block: block.page)
def test_code_compiles_and_that_of_this_project_runs(block: Named, folder: Path) -> None:
    code = compile(block.text, block.page, "exec")
    if "angles.npz" in block.text:
        history = History()
        for step in (0, 10):
            pairs = {name: np.full((2, 4, 4), 0.5) for name in AXES}
            pairs |= {"left_out": np.zeros((2, 4)), "histogram": np.zeros((2, 4, 4, 20))}
            history.add(step, {"encoder": pairs})
        history.save(folder / "angles.npz")
        exec(code, {})
