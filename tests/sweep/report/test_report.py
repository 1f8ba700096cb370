"""The report: one page that stands alone, says the numbers of the records, and lets nothing in unescaped."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from uuid import uuid4

import pytest

from sweep.records.archive import Sweep
from sweep.records.records import Records
from sweep.records.storage import Storage
from sweep.report import page, results
from sweep.report.__main__ import main
from sweep.report.report import Report
from tests.sweep.finished import BART, BERT, NOT_FINITE, finished_sweep
from trainables.errors import InputError
from trainables.own_metrics import METRICS, Metric


class Page(HTMLParser):
    """Tags with their attributes, and the text of each table row."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.rows: list[list[str]] = []
        self.inside = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")
            self.inside = True

    def handle_endtag(self, tag: str) -> None:
        self.inside = self.inside and tag not in ("td", "th")

    def handle_data(self, data: str) -> None:
        if self.inside:
            self.rows[-1][-1] += data.strip()


@pytest.fixture
def storage() -> Storage:
    return Storage(f"memory://{uuid4().hex}")


def written(storage: Storage, sweep: Sweep) -> str:
    page.write(Report.of(storage, sweep))
    html = storage.read("sweeps/demo/report.html")
    assert html is not None
    assert "figures" not in storage.list("sweeps/demo")
    return html.decode()


def test_the_page_says_the_numbers_of_the_records(storage: Storage) -> None:
    sweep = finished_sweep(storage, {"tiny-bert": BERT}, failing=["reverse"])
    page = Page(written(storage, sweep))
    rows = results.rows(Records(storage), sweep.cells)
    test = {(row.strategy, row.init): f"{row.test:.3f}" for row in rows if row.kind == "cell" and row.test is not None}
    shares = {(row.strategy, row.init): f"{row.share_of_teacher:.0%}" for row in rows if row.share_of_teacher}
    assert ["teacher", "0.900", "100%", "0.900", "100%"] in page.rows
    assert ["chance", "0.400", "0%", "0.400", "0%"] in page.rows
    key = [("forward", "random"), ("forward", "teacher")]
    assert ["forward", test[key[0]], shares[key[0]], test[key[1]], shares[key[1]]] in page.rows
    key = ("reverse", "teacher")
    assert ["reverse", "", "", test[key], shares[key]] in page.rows
    assert ["tiny-bert · reverse · random · s0", "failed", NOT_FINITE, "rate too high?"] in page.rows
    angle = next(row for row in rows if (row.strategy, row.init) == ("forward", "teacher")).metrics
    end = angle["angle/encoder/acute_share"]
    found = next(row for row in page.rows if row[:3] == ["encoder", "teacher's weights", "forward"])
    assert found[3:5] == [f"{round(end / 2, 4):.3f}", f"{end:.3f}"]
    assert ["command", "python sweep/run.py demo.yaml"] in page.rows


def test_the_leaderboard_comes_first_and_names_every_axis(storage: Storage) -> None:
    html = written(storage, finished_sweep(storage, {"tiny-bert": BERT}, seeds=(0, 1), rates=[5e-4, 0.25]))
    headings = re.findall("<h2>(.*?)</h2>", html)
    assert headings == [
        "In short",
        "All cells",
        "All comparisons together",
        "Where the differences come from",
        "Score against each axis",
        "tiny-bert on natural-logic · lr=5e-4",
        "tiny-bert on natural-logic · lr=0.25",
        "How it was run",
    ]
    parts = [(f"part-{number}", title) for number, title in enumerate(headings, 1)]
    assert re.findall(r'<li><a href="#(part-\d+)">(.*?)</a></li>', html) == parts
    assert re.findall(r'<details class="part" id="(part-\d+)" open><summary><h2>(.*?)</h2>', html) == parts
    lines = Page(html).rows
    head = next(line for line in lines if line[0] == "place")
    assert head[:8] == ["place", "strategy", "init", "lr", "seed", "validation", "test", "of the way"]
    cells = [line for line in lines if line[0].isdecimal() and len(line) == len(head)]
    assert [int(line[0]) for line in cells] == list(range(1, 41))
    assert {line[3] for line in cells} == {"5e-4", "0.25"}
    assert [line[5] for line in cells] == sorted((line[5] for line in cells), reverse=True)
    assert "The other 20 cells" in html
    forward = next(line for line in cells if line[1:3] == ["forward", "random"])
    assert forward[10] == "encoder 0:0 1:2 2:4 3:6"
    best = cells[0]
    words = f"Best: {best[1]} · {best[2]} · s{best[4]} · lr={best[3]}: validation {best[5]}, test {best[6]}"
    assert f'<p class="best">{words} of the teacher&#39;s 0.900.' in html


def test_the_metrics_of_plugins_have_columns(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(METRICS, "own", Metric("classification", ("own",), lambda *_: {}))
    sweep = finished_sweep(storage, {"tiny-bert": BERT}, inits=["random"])
    records = Records(storage)
    for number, cell in enumerate(sweep.cells):
        result = records.cell(cell.fingerprint).result()
        assert result is not None
        metrics = {**result.metrics, "test/own": number / 8}
        storage.write(
            records.cell(cell.fingerprint).manifest_path, result.model_copy(update={"metrics": metrics}).dump()
        )
    head, *lines = Page(written(storage, sweep)).rows
    place = head.index("test own")
    values = [line[place] for line in lines if line[0].isdecimal()]
    assert sorted(values) == ["0.000", "0.125", "0.250", "0.375", "0.500"]


def test_the_page_stands_alone(storage: Storage) -> None:
    html = written(storage, finished_sweep(storage, {"tiny-bart": BART}))
    page = Page(html)
    assert "Every number is of one seed" in html
    sources = [attributes["src"] or "" for tag, attributes in page.tags if tag == "img"]
    # One panel per init: validation score, two losses; per init and stack: hidden losses, angles by k; then the scores
    # and all angles of two stacks.
    assert len(sources) == 2 * 3 + 4 * 2 + 1 + 2
    assert all(attributes["alt"] for tag, attributes in page.tags if tag == "img")
    assert all(source.startswith("data:image/svg+xml;base64,") for source in sources)
    hrefs = [attributes["href"] or "" for tag, attributes in page.tags if "href" in attributes]
    links = [href for href in hrefs if not href.startswith("#part-")]
    runs = [f"http://127.0.0.1:5000/#/experiments/1/runs/run{number:04x}" for number in range(10)]
    assert sorted(links) == [f"{run}?workflowType=machine_learning" for run in runs]
    assert not {tag for tag, _ in page.tags} & {"script", "link", "iframe", "object"}
    assert "url(" not in html
    assert "@import" not in html
    assert [tag for tag, _ in page.tags if tag == "main"] == ["main"]  # a landmark for screen readers
    assert not re.search(r"<th[^>]*></th>", html)


def test_nothing_comes_in_unescaped(storage: Storage) -> None:
    evil = "<script>alert('x')</script>\"><img src=x onerror=alert(1)>"
    sweep = finished_sweep(storage, {evil: BERT}, seeds=(0, 1), failing=["forward"], inits=["random"])
    environment = sweep.environment.model_copy(update={"cpu": evil})
    html = written(storage, sweep.model_copy(update={"command": evil, "environment": environment}))
    assert len(re.findall(r"\d\.\d{3} ± \d\.\d{3} \(2\)", html)) == 4
    assert "<script" not in html
    assert "onerror=alert" in html  # as text
    for tag, attributes in Page(html).tags:
        assert tag != "script"
        assert not any(name.startswith("on") for name in attributes)
        assert tag != "img" or (attributes["src"] or "").startswith("data:image/svg+xml;base64,")


def test_a_sweep_with_nothing_done_has_a_report(storage: Storage) -> None:
    full = Storage(f"memory://{uuid4().hex}")
    html = written(storage, finished_sweep(full, {"tiny-bert": BERT}))
    assert "0 cells done, 0 failed, 10 missing" in html
    assert "<img" not in html


def test_it_is_drawn_again_alone(storage: Storage, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    local = Storage(str(tmp_path))
    first = written(local, finished_sweep(local, {"tiny-bert": BERT}, inits=["random"]))
    (tmp_path / "sweeps/demo/report.html").unlink()
    assert main([str(tmp_path), "demo"]) == 0
    assert (tmp_path / "sweeps/demo/report.html").read_text() == first
    assert "tiny-bert on natural-logic" in capsys.readouterr().out
    assert main([str(tmp_path), "other"]) == 2
    assert capsys.readouterr().err.startswith("name: got 'other'; ")


def test_the_archive_gives_back_what_it_was_given(storage: Storage) -> None:
    sweep = finished_sweep(storage, {"tiny-bert": BERT})
    sweep.store(storage)
    assert Sweep.load(storage, "demo") == sweep
    with pytest.raises(InputError, match=r"^name: got 'other'; expected one of demo$"):
        Sweep.load(storage, "other")
    nowhere = Storage("memory://nowhere")
    with pytest.raises(
        InputError, match=r"^storage: got 'memory://nowhere', which holds no sweep; give the storage of"
    ):
        Sweep.load(nowhere, "demo")
