"""Agreement with lm-evaluation-harness, by its own task files, on rows in the form of HellaSwag and CommonsenseQA.

The models are tiny, random and in fp64, so that what differs is the method and not the last bits of a sum.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lm_eval.tasks
import pytest
import torch
from datasets import Dataset
from lm_eval.api.task import ConfigurableTask
from lm_eval.evaluator import evaluate
from lm_eval.models.huggingface import HFLM
from lm_eval.tasks._yaml_loader import load_yaml

from tests.trainables.families.settings import SETTINGS
from trainables.config import TokenizerConfig
from trainables.evaluate import Evaluator, Questions
from trainables.families import making
from trainables.tasks import read
from trainables.tasks.kinds import KINDS
from trainables.tasks.tokenizer import train_tokenizer

TOLERANCE = 1e-6
"""Nats, per choice."""
HELLASWAG = [
    {
        "activity_label": "Making tea",
        "ctx_a": "[header] How to make tea [title] Boil the water.",
        "ctx_b": "the Person",
        "endings": ["[step] pours it  into a cup.", "drinks.", "eats the kettle , slowly", "runs away from caffè"],
        "label": "0",
    },
    {
        "activity_label": "Running",
        "ctx_a": "A man runs.",
        "ctx_b": "",
        "endings": ["He stops.", "he", "The dog [substeps] sleeps in a very long bed.", "Boil"],
        "label": "2",
    },
    {
        "activity_label": "Sleeping",
        "ctx_a": "The dog sleeps.",
        "ctx_b": "IT",
        "endings": ["eats", "drinks the water.", "is a man", "runs"],
        "label": "3",
    },
]
COMMONSENSE = [
    {
        "question": question,
        "choices": {"label": list("ABCDE"), "text": ["water", "the bed", "a dog", "tea", "cup"]},
        "answerKey": key,
    }
    for question, key in [("What does a man drink? ", "D"), (" Where does it sleep?", "B"), ("Who runs?", "C")]
]
TASKS: dict[str, tuple[str, list[dict[str, Any]], dict[str, Any]]] = {
    "hellaswag": ("hellaswag/hellaswag.yaml", HELLASWAG, {"choice_format": "hellaswag", "choices": "endings"}),
    "commonsense_qa": (
        "commonsense_qa/default.yaml",
        COMMONSENSE,
        {
            "choice_format": "lettered",
            "context": "question",
            "choices": "choices.text",
            "choice_labels": "choices.label",
            "label": "answerKey",
        },
    ),
}
MODELS = {setting.family.name: setting for setting in SETTINGS if setting.head_name == "language_model"}


def judged(file: str, docs: list[dict[str, Any]], lm: HFLM) -> tuple[list[list[float]], dict[str, float]]:
    """The harness's log-likelihoods of every choice, and its metrics."""
    fields = load_yaml(Path(lm_eval.tasks.__file__).parent / file)
    fields |= {"custom_dataset": lambda **_: {"validation": Dataset.from_list(docs)}, "training_split": None}
    name = fields["task"]
    found: Any = evaluate(lm, {name: ConfigurableTask(config=fields)}, bootstrap_iters=0, log_samples=True)
    samples = sorted(found["samples"][name], key=lambda sample: sample["doc_id"])
    return [[total for total, _ in sample["filtered_resps"]] for sample in samples], found["results"][name]


@pytest.mark.parametrize("family", MODELS)
@pytest.mark.parametrize("task_name", TASKS)
def test_each_choice_has_the_likelihood_that_the_harness_gives_it(write: Any, family: str, task_name: str) -> None:
    file, docs, fields = TASKS[task_name]
    task = write(docs, kind="multiple_choice", **fields)
    rows = read(task).test
    setting, kind = MODELS[family], KINDS["multiple_choice"]
    texts = [text for row in rows for text in kind.texts(row)]
    tokenizer = train_tokenizer(TokenizerConfig(vocab_size=400), setting.family, texts)
    size = {"max_position_embeddings": 128} if "max_position_embeddings" in setting.config else {}
    config = making.scratch_config(setting.family, {**setting.config, **size}, tokenizer, setting.head)
    model = making.build(setting.family, config, setting.head_name, seed=1).double().eval()

    # Batches of other sizes, so that padding differs too.
    evaluator = Evaluator(setting.family, task, tokenizer, torch.device("cpu"), "fp32", batch_size=5, classes=())
    questions = Questions(evaluator, rows)
    predicted = questions.predict(model)
    found = questions.score(predicted)
    backend: Any = "causal" if setting.family.form == "decoder" else "seq2seq"
    lm: Any = HFLM(pretrained=model, tokenizer=tokenizer, backend=backend, batch_size=3, device="cpu")
    wanted, metrics = judged(file, docs, lm)

    assert len({round(total, 3) for sums in wanted for total in sums}) > len(wanted)
    for mine, theirs in zip(predicted, wanted, strict=True):
        assert mine == pytest.approx(theirs, rel=0, abs=TOLERANCE)
    assert found["accuracy"] == pytest.approx(metrics["acc,none"])
    if "acc_norm,none" in metrics:
        assert found["accuracy_norm"] == pytest.approx(metrics["acc_norm,none"])
