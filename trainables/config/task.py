"""The task: where its data comes from and how it is read."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import Field, model_validator

from trainables.config.fields import Frozen, Positive


class Files(Frozen):
    """Local data files: JSON lines, CSV, TSV or Parquet."""

    train: str = Field(description="The training split.")
    validation: str | None = Field(
        None, description="The validation split, on which the best student is chosen; null: splits makes it."
    )
    test: str | None = Field(
        None, description="The test split, on which the chosen student is scored; null: splits makes it."
    )


class Generated(Frozen):
    """A task that is generated when needed, identically on every machine."""

    generator: str = Field(description="natural_logic, localisation, or a plug-in's generator.")
    train: Positive = Field(default=3000, description="Rows in the training split.")
    validation: Positive = Field(default=200, description="Rows in the validation split.")
    test: Positive = Field(default=400, description="Rows in the test split.")
    seed: int = Field(default=0, description="The seed of the rows, independent of the seeds of the cells.")


class Hub(Frozen):
    """A data set of the Hugging Face hub, or a local folder in the same form."""

    path: str = Field(min_length=1, description="An id such as nyu-mll/glue, or a folder with such a data set.")
    name: str | None = Field(default=None, description="The configuration of the data set.")
    revision: str | None = Field(
        default=None,
        description="A commit or branch; null: the newest commit, which the storage then records and keeps.",
    )


class Sample(Frozen):
    """A random sample of the training split, drawn once."""

    train: Positive = Field(description="The number of rows to draw.")
    seed: int = Field(default=0, description="The seed of the draw, independent of the seeds of the cells.")


class Examples(Frozen):
    """The sizes of the splits, for a plan; a run counts them itself."""

    train: Positive = Field(description="Examples in the training split.")
    validation: Positive = Field(description="Examples in the validation split.")
    test: Positive = Field(description="Examples in the test split.")


class TaskConfig(Frozen):
    """A task's data and how it is read. The name of a nested field in the data is dotted: answers.input_text."""

    name: str = Field(min_length=1, description="The name that tables and tags show.")
    kind: str = Field(
        description="classification, regression, token_classification, generation, multiple_choice or "
        "question_answering."
    )
    metric: str | None = Field(
        None,
        description="The main metric, one of the kind's or of a plug-in's, by which the best student is chosen: cells "
        "with another one are computed anew; null: the kind's first metric, such as accuracy or bleu.",
    )
    files: Files | None = None
    generated: Generated | None = None
    hub: Hub | None = None
    splits: dict[str, str] | None = Field(
        None,
        description="files and hub: which rows make up train, validation and test: a split of the data, a slice such "
        "as train[-2000:], or a share such as 10%, which is drawn from train, the same on every machine and with the "
        "classes in the same proportions. Further names, such as test_mismatched, are further test splits. By "
        "default, train leaves out the rows that the others take.",
    )
    sample: Sample | None = Field(
        None, description="files and hub: the sample of the training split that is used; null: all of it."
    )
    examples: Examples | None = Field(
        None, description="hub: the approximate numbers of examples, so that --plan downloads nothing."
    )
    prefix: str = Field(
        default="",
        description="generation, multiple_choice and question_answering: precedes each input, as T5's task names do.",
    )
    text: Annotated[list[str], Field(min_length=1, max_length=2)] | None = Field(
        None,
        description="classification and regression: one field, or two for a pair; token_classification: one field, "
        "with a list of words or a text that is split at its spaces.",
    )
    label: str = Field(
        default="label",
        description="A class, by name or number; regression: a number; token_classification: a class per word, as a "
        "list or a text that is split at its spaces; multiple_choice: the right choice.",
    )
    classes: Annotated[list[str], Field(min_length=2)] | None = Field(
        None, description="Names of the classes; null: those of the training split."
    )
    source: str = Field(default="source", description="generation: a text, or a list of triples (DART).")
    target: str = Field(
        default="target", description="generation: one text, or a list of references, of which the first is trained on."
    )
    context: str = Field(default="context", description="multiple_choice: the text that the choices continue.")
    choices: str = Field(default="choices", description="multiple_choice: a list of texts; label names the right one.")
    choice_labels: str | None = Field(
        None, description="multiple_choice: the labels of the choices, a list; null: their indices from 0."
    )
    choice_format: Literal["plain", "hellaswag", "lettered"] = Field(
        default="plain",
        description="plain: unchanged; hellaswag: its columns joined and cleaned as in lm-evaluation-harness; "
        "lettered: the context lists the choices, and the model chooses a letter.",
    )
    story: str = Field(default="story", description="question_answering: the text that the questions are about.")
    questions: str = Field(default="questions", description="question_answering: a list of texts.")
    answers: str = Field(
        default="answers", description="question_answering: one text, or a list of references, per question."
    )
    references: str | None = Field(
        None, description="generation: a list of further references beside the target; it may be empty."
    )
    separator: str = Field(
        default="\n", description="generation, decoder-only models: the text between source and target."
    )
    max_length: Positive = Field(default=128, description="The longest input in tokens; longer inputs are cut.")
    max_new_tokens: Positive = Field(default=64, description="The most tokens that a model generates per answer.")
    num_beams: Positive = Field(default=1, description="Beams of the search that generates answers; 1: greedy.")
    num_eval: Positive | None = Field(
        None,
        description="Examples of the validation split that evaluations during training use; null: all. They choose the "
        "best student and the best teacher, so that another number makes both anew. The test is always on all rows.",
    )

    @model_validator(mode="after")
    def _one_source(self) -> TaskConfig:
        if [self.files, self.hub, self.generated].count(None) != 2:
            raise ValueError("files: give one of files, hub and generated")
        if self.generated is not None and self.splits is not None:
            raise ValueError("splits: a generated task has its sizes in generated")
        for name in self.splits or {}:
            if name not in ("train", "validation") and not re.fullmatch(r"test(_[\w-]+)?", name):
                raise ValueError(
                    f"splits: got {name!r}; expected train, validation, test, or a name such as test_mismatched"
                )
        if self.classes is not None and len(set(self.classes)) < len(self.classes):
            raise ValueError(f"classes: got {', '.join(self.classes)}; give each class once")
        if self.hub is None and self.examples is not None:
            raise ValueError("examples: only a hub task needs them")
        if self.generated is not None and self.sample is not None:
            raise ValueError("sample: a generated task has its sizes in generated")
        return self
