"""The task: where its data come from and how they are read."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import Field, model_validator

from trainables.config.fields import Frozen, Positive


class Files(Frozen):
    """Local data files: JSON lines, CSV, TSV or Parquet."""

    train: str = Field(description="The file that is trained on.")
    validation: str = Field(description="The file on which the best student is chosen.")
    test: str = Field(description="The file on which the chosen student is scored.")


class Generated(Frozen):
    """A task made on the spot, the same on every machine."""

    generator: str = Field(description="natural_logic, localisation, or one of a plug-in.")
    train: Positive = Field(default=3000, description="Rows of the training split.")
    validation: Positive = Field(default=200, description="Rows of the validation split.")
    test: Positive = Field(default=400, description="Rows of the test split.")
    seed: int = Field(default=0, description="Of the rows; not that of the cells.")


class Hub(Frozen):
    """A data set of the Hugging Face hub, or a local folder in the same form."""

    path: str = Field(min_length=1, description="An id such as nyu-mll/glue, or a folder that holds such a data set.")
    name: str | None = Field(default=None, description="Which of the data set's configurations.")
    revision: str | None = Field(
        default=None, description="A commit or branch; null: the newest, which the storage then keeps to."
    )


class Sample(Frozen):
    """A part of the training split, drawn once."""

    train: Positive = Field(description="How many rows are drawn.")
    seed: int = Field(default=0, description="Of the draw; not that of the cells.")


class Examples(Frozen):
    """How many examples the splits have, for a plan; what is run is counted."""

    train: Positive = Field(description="Examples of the training split.")
    validation: Positive = Field(description="Examples of the validation split.")
    test: Positive = Field(description="Examples of the test split.")


class TaskConfig(Frozen):
    """Data and how it is read. A field's name in the data is dotted where it is nested: answers.input_text."""

    name: str = Field(min_length=1, description="What tables and tags show.")
    kind: str = Field(
        description="classification, regression, token_classification, generation, multiple_choice or "
        "question_answering."
    )
    metric: str | None = Field(
        None,
        description="Which of the kind's metrics is the main one, by which the best student is chosen; null: its "
        "first, such as accuracy or bleu.",
    )
    files: Files | None = None
    generated: Generated | None = None
    hub: Hub | None = None
    splits: dict[str, str] | None = Field(
        None,
        description="hub: what train, validation and test are, such as train[-2000:], or one of the others; "
        "further names, such as test_mismatched, are further test splits. train is without what the others take of it.",
    )
    sample: Sample | None = Field(None, description="files and hub: how much of the training split is used; null: all.")
    examples: Examples | None = Field(
        None, description="hub: the numbers of examples, about, so that --plan needs no download."
    )
    prefix: str = Field(
        default="", description="Stands before each input of a model that writes or chooses, such as T5's task name."
    )
    text: Annotated[list[str], Field(min_length=1, max_length=2)] | None = Field(
        None,
        description="classification and regression: one field, or two for a pair; token_classification: one field, a "
        "list of words or a text that is split at its spaces.",
    )
    label: str = Field(
        default="label",
        description="A class, by name or number; regression: a number; token_classification: a class for each word, a "
        "list or a text that is split at its spaces; multiple_choice: the right choice.",
    )
    classes: Annotated[list[str], Field(min_length=2)] | None = Field(
        None, description="Names of the classes; null: found in the training split."
    )
    source: str = Field(default="source", description="generation: a text, or a list of triples (DART).")
    target: str = Field(default="target", description="One text, or a list of references; the first is trained on.")
    context: str = Field(default="context", description="multiple_choice: the text that the choices go on from.")
    choices: str = Field(default="choices", description="multiple_choice: a list of texts; label is the right one's.")
    choice_labels: str | None = Field(
        None, description="multiple_choice: what label calls the choices, a list; null: their numbers from 0."
    )
    choice_format: Literal["plain", "hellaswag", "lettered"] = Field(
        default="plain",
        description="plain: as they stand; hellaswag: its columns as lm-evaluation-harness joins and cleans them; "
        "lettered: choices listed in the context, letters to choose from.",
    )
    story: str = Field(default="story", description="question_answering: what the questions are about.")
    questions: str = Field(default="questions", description="question_answering: a list of texts.")
    answers: str = Field(
        default="answers", description="question_answering: for each question a text, or a list of references."
    )
    references: str | None = Field(
        None, description="generation: a list of all references beside the target; it may be empty."
    )
    separator: str = Field(
        default="\n", description="generation, decoder-only models: what stands between source and target."
    )
    max_length: Positive = Field(default=128, description="Tokens; longer inputs are cut.")
    max_new_tokens: Positive = Field(default=64, description="The most tokens that a model writes for one answer.")
    num_beams: Positive = Field(default=1, description="Beams of the search in which answers are written; 1: greedy.")
    num_eval: Positive | None = Field(
        None, description="Examples of the validation split that evaluations during training use; null: all."
    )

    @model_validator(mode="after")
    def _one_source(self) -> TaskConfig:
        if [self.files, self.hub, self.generated].count(None) != 2:
            raise ValueError("files: give one of files, hub and generated")
        if self.hub is None and self.splits is not None:
            raise ValueError("splits: only a hub task has splits to choose from")
        for name in self.splits or {}:
            if name not in ("train", "validation") and not re.fullmatch(r"test(_[\w-]+)?", name):
                raise ValueError(f"splits: got {name!r}; train, validation, test, or a name such as test_mismatched")
        if self.classes is not None and len(set(self.classes)) < len(self.classes):
            raise ValueError(f"classes: got {', '.join(self.classes)}; each class once")
        if self.hub is None and self.examples is not None:
            raise ValueError("examples: only a hub task needs them")
        if self.generated is not None and self.sample is not None:
            raise ValueError("sample: a generated task has its sizes in generated")
        return self
