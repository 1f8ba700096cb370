"""The evidence of a sweep from its records: what is tested over seeds, and what by rows."""

from __future__ import annotations

import json
from dataclasses import replace
from uuid import uuid4

import pytest

from sweep.records.records import Record, Records
from sweep.records.storage import Storage
from sweep.report import page
from sweep.report.conclusions import not_estimated, of_angles
from sweep.report.evidence import block_of, gather, tidy
from sweep.report.proof import proof
from sweep.report.report import Report
from sweep.report.summary import sections
from sweep.spec.verdict import VerdictSettings
from tests.sweep.finished import BART, BERT, finished_sweep
from tests.sweep.report.test_summary import ROWS, row

SETTINGS = VerdictSettings()


@pytest.fixture
def storage() -> Storage:
    return Storage(f"memory://{uuid4().hex}")


def write(record: Record, rows: list[dict[str, object]]) -> None:
    """Writes answers to the test split, and one to another split, which does not count."""
    lines = [json.dumps({"split": "test", "row": number, **each}) for number, each in enumerate(rows)]
    lines.append(json.dumps({"split": "test_mismatched", "row": 0, "prediction": "x", "score": 99.0}))
    result = record.result()
    assert result is not None
    record.storage.write(f"{record.root}/attempts/{result.attempt}/predictions.jsonl", "\n".join(lines).encode())


def test_one_line_per_cell_and_section() -> None:
    none = row("none", 0.5)
    cells = [none, *(row("forward", 0.6, axes={"losses.hidden": value}) for value in ("1", "3"))]
    found = tidy(sections(cells))
    assert found[["axes", "strategy", "seed", "test"]].to_numpy().tolist() == [
        ["hidden=1", "none", 0, 0.5],
        ["hidden=1", "forward", 0, 0.6],
        ["hidden=3", "none", 0, 0.5],
        ["hidden=3", "forward", 0, 0.6],
    ]


def test_seeds_are_tested(records: Records) -> None:
    found = gather(sections(ROWS), SETTINGS, records)
    assert found.is_tested
    assert [len(answer.differences) for answer in found.verdict.blocks] == [3, 3]
    assert found.metrics == {block_of(sections(ROWS)[0], "random"): "accuracy"}
    assert found.by_rows == {}


def test_a_cell_twice_gives_no_verdict_and_the_reason(records: Records) -> None:
    twice = [row("none", 0.5), row("none", 0.6, fingerprint="another")]
    found = gather(sections(twice), SETTINGS, records)
    assert found.obstacle.startswith("There is no verdict: results: got two rows of one cell (model=bert, task=sst2")
    assert found.verdict.first == ()


def test_no_cell_at_all(records: Records) -> None:
    found = gather([], SETTINGS, records)
    assert (found.verdict.blocks, found.obstacle, found.is_tested) == ((), "", False)


def scored(storage: Storage, score: float) -> tuple[Report, dict[str, Record]]:
    """A report whose students of one init have this test accuracy over ten rows; and their records by strategy."""
    report = Report.of(storage, finished_sweep(storage, {"tiny": BERT}, inits=["random"]))
    cells = {cell.strategy: report.records.cell(cell.fingerprint) for cell in report.cells}
    rows = tuple(replace(each, test=score) if each.kind == "cell" else each for each in report.rows)
    return replace(report, rows=rows), cells


def test_a_single_seed_is_compared_by_rows(storage: Storage) -> None:
    report, cells = scored(storage, 0.5)
    right, wrong = {"prediction": "a", "score": 1.0}, {"prediction": "b", "score": 0.0}
    write(cells["none"], [right] * 200 + [wrong] * 200)
    write(cells["forward"], [wrong] * 200 + [right] * 200)
    write(cells["reverse"], [right] * 100)  # other rows
    write(cells["random"], [wrong] * 400)  # the score of these rows is not that of the result
    found = gather(report.sections, SETTINGS, report.records)
    ((block, (compared,)),) = found.by_rows.items()
    assert block.init == "random"
    assert (compared.first, compared.second, compared.value, compared.num_rows) == ("forward", "none", 0.0, 400)
    assert compared.p_adjusted == 1.0
    assert report.sentences[-1].startswith("Row by row, 0 of 1 student with matching differs from the one without")
    assert any(sentence.startswith("Every number is of one seed") for sentence in report.sentences)


def test_bleu_is_compared_by_sacrebleu(storage: Storage) -> None:
    report = Report.of(storage, finished_sweep(storage, {"tiny": BART}, inits=["random"]))
    cells = {cell.strategy: report.records.cell(cell.fingerprint) for cell in report.cells}
    texts = [f"the dog number {number} runs in the park" for number in range(20)]
    for strategy, words in (("none", "the cat sleeps at home all day"), ("forward", None)):
        write(
            cells[strategy],
            [{"prediction": words or text, "reference": [text], "score": 0.0} for text in texts],
        )
    ((compared,),) = gather(report.sections, SETTINGS, report.records).by_rows.values()
    assert (compared.first, compared.second) == ("forward", "none")
    assert compared.value > 90
    assert compared.p < 0.01


def test_the_report_begins_with_the_verdict(storage: Storage) -> None:
    report = Report.of(storage, finished_sweep(storage, {"tiny": BERT}, seeds=range(3)))
    matching, strategy, best = report.headline
    assert matching.startswith("Matching helps: ")
    assert "strategy" in strategy
    assert best.startswith("Best: ")
    assert report.sentences[:3] == report.headline
    html = page.page(report)
    assert html.count('<p class="best">') == 3
    assert "All comparisons together" in html
    assert "Not estimated: model, task and axes (one level)." in html
    assert html.count("Differences over the same seeds.") == 3  # the whole, and one per init


def test_the_settings_of_the_sweep_count(storage: Storage) -> None:
    sweep = finished_sweep(storage, {"tiny": BERT}, seeds=range(4), inits=["random"])
    sweep = sweep.model_copy(update={"verdict": VerdictSettings(margin=0.5, alpha=0.01)})
    report = Report.of(storage, sweep)
    assert report.evidence.verdict.alpha == 0.01
    assert {answer.margin.value for answer in report.evidence.verdict.blocks} == {0.5}
    block = report.evidence.verdict.blocks[0].table.block
    shown = proof(block, "tiny", report.evidence)
    assert shown is not None
    assert shown.level == "99%"


def test_where_the_differences_come_from(storage: Storage) -> None:
    report = Report.of(storage, finished_sweep(storage, {"tiny": BERT}, seeds=range(3), rates=(1e-4, 2e-4, 3e-4)))
    found = report.evidence
    assert [each.name for each in found.variance.components] == ["strategy", "init", "axes", "seed", "rest"]
    assert sum(each.share for each in found.variance.components) == pytest.approx(1)
    assert not_estimated(found.variance.missing) == "Not estimated: model and task (one level)."
    assert found.relation is not None
    assert found.relation.num == 6
    assert of_angles(found).startswith(
        "Over 6 comparisons the share of acute angles and the spread of the strategies have a rank correlation of "
    )
    few = replace(found, relation=None)
    assert of_angles(few) == (
        "Whether strategies differ less where more angles are acute can be estimated from 5 comparisons with angles "
        "and scores that vary."
    )
