"""The paper's tasks, the rest of GLUE, and CoNLL-2003's entities, as data sets of the Hugging Face hub.

The public test splits of GLUE, HellaSwag and CommonsenseQA have no labels, and CoQA has no test split. The best student
is therefore chosen on the last part of the training split, which is held out, and tested on the public validation
split. The numbers of `examples` come from the data sets' cards.
"""

from __future__ import annotations

from typing import Any


def _glue(
    name: str, text: list[str], classes: list[str] | None, held_out: int, examples: tuple[int, int], **fields: Any
) -> dict[str, Any]:
    """A task of GLUE; `examples` gives the sizes of its public training and validation splits."""
    return {
        "name": name,
        "kind": "classification" if classes else "regression",
        "hub": {"path": "nyu-mll/glue", "name": name},
        "splits": {"validation": f"train[-{held_out}:]", "test": "validation"},
        "examples": {"train": examples[0] - held_out, "validation": held_out, "test": examples[1]},
        "text": text,
        "classes": classes,
        "max_length": 128,
        **fields,
    }


_MNLI = _glue(
    "mnli", ["premise", "hypothesis"], ["entailment", "neutral", "contradiction"], 8000, examples=(392_702, 9815)
)

HUB_TASKS: dict[str, dict[str, Any]] = {
    "mnli": {
        **_MNLI,
        "splits": {**_MNLI["splits"], "test": "validation_matched", "test_mismatched": "validation_mismatched"},
    },
    "qqp": _glue("qqp", ["question1", "question2"], ["not_duplicate", "duplicate"], 8000, examples=(363_846, 40_430)),
    "qnli": _glue("qnli", ["question", "sentence"], ["entailment", "not_entailment"], 3000, examples=(104_743, 5463)),
    # The training split also holds phrases of its sentences, so that the held-out part is not entirely unseen.
    "sst2": _glue("sst2", ["sentence"], ["negative", "positive"], 2000, examples=(67_349, 872)),
    "cola": _glue(
        "cola",
        ["sentence"],
        ["unacceptable", "acceptable"],
        1000,
        examples=(8551, 1043),
        metric="matthews_correlation",
    ),
    "mrpc": _glue(
        "mrpc", ["sentence1", "sentence2"], ["not_equivalent", "equivalent"], 400, examples=(3668, 408), metric="f1"
    ),
    "stsb": _glue("stsb", ["sentence1", "sentence2"], None, 1000, examples=(5749, 1500)),
    "rte": _glue("rte", ["sentence1", "sentence2"], ["entailment", "not_entailment"], 250, examples=(2490, 277)),
    "conll2003": {
        "name": "conll2003",
        "kind": "token_classification",
        # A copy in Parquet: the original (eriktks/conll2003) is a script, which `datasets` does not run.
        "hub": {"path": "lhoestq/conll2003"},
        "examples": {"train": 14_041, "validation": 3250, "test": 3453},
        "text": ["tokens"],
        "label": "ner_tags",
        "classes": ["O", *(f"{place}-{sort}" for sort in ("PER", "ORG", "LOC", "MISC") for place in "BI")],
        "max_length": 128,
    },
    "wmt16-en-ro": {
        "name": "wmt16-en-ro",
        "kind": "generation",
        "hub": {"path": "wmt/wmt16", "name": "ro-en"},
        "sample": {"train": 100_000, "seed": 0},
        "examples": {"train": 100_000, "validation": 1999, "test": 1999},
        "source": "translation.en",
        "target": "translation.ro",
        "prefix": "translate English to Romanian: ",
        "max_length": 128,
        "max_new_tokens": 128,
        "num_beams": 5,
    },
    "dart": {
        "name": "dart",
        "kind": "generation",
        # The original is a script, which `datasets` does not run; this is the hub's own copy of its tables.
        "hub": {"path": "GEM/dart", "revision": "refs/convert/parquet"},
        "examples": {"train": 62_659, "validation": 2768, "test": 6959},
        "source": "tripleset",
        "target": "target",
        "references": "references",
        "max_length": 128,
        "max_new_tokens": 128,
        "num_beams": 5,
    },
    "hellaswag": {
        "name": "hellaswag",
        "kind": "multiple_choice",
        "hub": {"path": "Rowan/hellaswag"},
        "splits": {"validation": "train[-2000:]", "test": "validation"},
        "examples": {"train": 37_905, "validation": 2000, "test": 10_042},
        "choice_format": "hellaswag",
        "choices": "endings",
        "label": "label",
        "max_length": 192,
    },
    "coqa": {
        "name": "coqa",
        "kind": "question_answering",
        "hub": {"path": "stanfordnlp/coqa"},
        # The splits count stories; an example is a question, and a story has about 15.
        "splits": {"validation": "train[-200:]", "test": "validation"},
        "examples": {"train": 105_600, "validation": 3000, "test": 7983},
        "story": "story",
        "questions": "questions",
        "answers": "answers.input_text",
        "max_length": 1024,
        "max_new_tokens": 32,
    },
    "commonsense_qa": {
        "name": "commonsense_qa",
        "kind": "multiple_choice",
        "hub": {"path": "tau/commonsense_qa"},
        "splits": {"validation": "train[-1000:]", "test": "validation"},
        "examples": {"train": 8741, "validation": 1000, "test": 1221},
        "choice_format": "lettered",
        "context": "question",
        "choices": "choices.text",
        "choice_labels": "choices.label",
        "label": "answerKey",
        "max_length": 128,
    },
}
