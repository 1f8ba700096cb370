"""Tables as CSV and LaTeX, and figures as files."""

from __future__ import annotations

import csv
import io
import re
import statistics
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweep.records.storage import Storage
from sweep.report.__main__ import main
from sweep.report.latex import escape, latex_table
from sweep.report.publication import files
from sweep.report.report import Report
from sweep.spec.verdict import Seeds, VerdictSettings
from tests.sweep.finished import BERT, finished_sweep

HARMLESS = re.compile(
    r"\\(textbackslash|textasciitilde|textasciicircum|textless|textgreater|textbar|textquotedbl|ldots)\{\}"
    r"|\$\\(pm|cdot|rightarrow)\$|\$-\$|\\[{}$&#_%]"
)


@given(st.text())
def test_no_character_that_latex_reads_is_left(text: str) -> None:
    rest = HARMLESS.sub("", escape(text))
    assert not set(rest) & set('\\{}$&#_%~^<>|"\n')


def test_a_text_is_escaped_once() -> None:
    assert escape("a_b & 50% {x}\\y\n~ ±") == (r"a\_b \& 50\% \{x\}\textbackslash{}y \textasciitilde{} $\pm$")


def test_a_latex_table() -> None:
    assert latex_table("50% of it", ["", "a_b"], [["x", "0.1"], ["y", ""]]).splitlines() == [
        r"\begin{table}",
        r"\centering",
        r"\caption{50\% of it}",
        r"\begin{tabular}{lr}",
        r"\toprule",
        r" & a\_b \\",
        r"\midrule",
        r"x & 0.1 \\",
        r"y &  \\",
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table}",
    ]


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return Storage(str(tmp_path))


@pytest.fixture
def report(storage: Storage) -> Report:
    """A model whose name LaTeX would read, with three seeds that are added in rounds."""
    sweep = finished_sweep(storage, {r"b_e\r & t": BERT}, seeds=(0, 1, 2))
    settings = VerdictSettings(margin=0.02, seeds=Seeds(first=3, most=3))
    return Report.of(storage, sweep.model_copy(update={"verdict": settings}))


def rows(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode())))


def test_scores_have_one_line_per_strategy_and_init(report: Report) -> None:
    lines = rows(files(report)["scores.csv"])
    assert [(line["init"], line["strategy"]) for line in lines][:2] == [("random", "none"), ("teacher", "none")]
    assert len(lines) == 10
    for line in lines:
        own = [row.test for row in report.cells if (row.init, row.strategy) == (line["init"], line["strategy"])]
        scores = [each for each in own if each is not None]
        assert float(line["mean"]) == pytest.approx(statistics.fmean(scores))
        assert float(line["sd"]) == pytest.approx(statistics.stdev(scores))
        assert (line["num_seeds"], line["model"], line["metric"]) == ("3", r"b_e\r & t", "accuracy")


def test_differences_are_those_of_the_verdict(report: Report) -> None:
    lines = rows(files(report)["differences.csv"])
    verdict = report.evidence.verdict
    expected = [
        (answer.question.value, each.first, each.second, each.mean.value)
        for answer in (*verdict.whole, *verdict.blocks)
        for each in answer.differences
    ]
    assert [(line["question"], line["first"], line["second"], float(line["difference"])) for line in lines] == expected
    assert {line["model"] for line in lines} == {"all", r"b_e\r & t"}
    assert {line["seeds"] for line in lines} <= {"decided after 3 seeds", "undecided after the most, 3 seeds"}
    assert {line["margin"] for line in lines if line["model"] != "all"} == {"0.02"}


def test_latex_has_every_section_and_escapes_its_names(report: Report) -> None:
    text = files(report)["tables.tex"].decode()
    assert text.count(r"\begin{table}") == text.count(r"\end{table}") == 1 + 1 + 2
    assert (
        r"\caption{Test accuracy of b\_e\textbackslash{}r \& t on natural-logic: mean $\pm$ standard deviation" in text
    )
    assert r"all\_to\_one minus none" in text
    assert "all_to_one" not in text
    mean = statistics.fmean(
        row.test for row in report.cells if (row.init, row.strategy) == ("random", "none") and row.test is not None
    )
    assert f"none & {mean:.3f} $\\pm$ " in text


def test_figures_are_written_when_they_are_asked_for(
    storage: Storage, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sweep = finished_sweep(storage, {"bert": BERT}, seeds=(0, 1), inits=("random",))
    sweep.store(storage)
    storage.write("sweeps/demo/figures/old.svg", b"")
    assert main([str(tmp_path), "demo", "--figures"]) == 0
    assert str(tmp_path / "sweeps/demo/figures") in capsys.readouterr().out.splitlines()
    assert {"scores.csv", "differences.csv", "tables.tex"} <= set(storage.list("sweeps/demo"))
    names = storage.list("sweeps/demo/figures")
    assert "old.svg" not in names
    stems = [name.rpartition(".")[0] for name in sorted(names)]
    assert [name.rpartition(".")[2] for name in sorted(names)] == ["pdf", "svg"] * (len(names) // 2)
    assert stems[::2] == stems[1::2]
    assert any(stem.endswith("test-accuracy-by-strategy-and-init-bert-on-natural-logic") for stem in stems)
    uris = re.findall(r'src="data:image/svg\+xml;base64', (tmp_path / "sweeps/demo/report.html").read_text())
    assert len(uris) == len(names) // 2
    for name in names:
        content = storage.read(f"sweeps/demo/figures/{name}")
        assert content is not None
        assert content.startswith(b"%PDF" if name.endswith("pdf") else b"<?xml")
