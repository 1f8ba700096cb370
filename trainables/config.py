"""The trial config: everything that one cell is computed from. Pydantic only; no torch.

A field here is a field of the YAML file under `base`, and may be an axis of the sweep.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SerializeAsAny,
    WithJsonSchema,
    model_validator,
)

from trainables.builtin import MODELS, TASKS
from trainables.strategies import STRATEGIES, Strategy

Positive = Annotated[int, Field(ge=1)]
Count = Annotated[int, Field(ge=0)]
Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Rate = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Frozen(BaseModel):
    """Immutable; unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class TokenizerConfig(Frozen):
    """A tokenizer trained on the training split of the task."""

    kind: Literal["word", "byte_bpe"] = Field(
        default="byte_bpe", description="word: split at white space and punctuation."
    )
    vocab_size: Positive = 4000


class FromScratch(Frozen):
    """A teacher built from a config and trained; `config` holds fields of the family's transformers config."""

    config: dict[str, Any]
    tokenizer: TokenizerConfig = TokenizerConfig()


class TrainConfig(Frozen):
    """How a student or a teacher is optimised: linear warm-up, linear decay to zero, clipped gradients."""

    epochs: Rate = Field(default=10, description="Passes over the training split; may be a fraction.")
    max_steps: Positive | None = Field(default=None, description="Optimiser steps; overrides epochs.")
    batch_size: Positive = Field(default=32, description="Examples of a micro-batch.")
    accumulation: Positive = Field(default=1, description="Micro-batches of an optimiser step.")
    learning_rate: Rate = 2e-5
    warmup_steps: Count = 0
    optimizer: Literal["adamw", "adafactor"] = "adamw"
    scale_parameter: bool = Field(default=False, description="adafactor: rates relative to each parameter's RMS.")
    weight_decay: Weight = 0.01
    clip_norm: Rate = 1.0
    freeze_embeddings: bool = Field(default=False, description="As they always are under LoRA.")
    gradient_checkpointing: bool = Field(
        default=False,
        description="Blocks are computed again for the backward pass: less memory, same numbers.",
    )
    evaluate_every: Rate = Field(
        default=1.0, description="Epochs between evaluations; the last step is always evaluated."
    )
    checkpoint_minutes: Rate = 5

    @model_validator(mode="after")
    def _scaled_by_adafactor(self) -> Self:
        if self.scale_parameter and self.optimizer != "adafactor":
            raise ValueError(f"scale_parameter: got true beside optimizer {self.optimizer}; only adafactor has it")
        return self


class FinetuneConfig(TrainConfig):
    """How a teacher is made from labels."""

    epochs: Rate = 3
    learning_rate: Rate = 5e-5
    seed: int = 0


class ProjectionConfig(Frozen):
    """The maps from a narrower or wider student's states to the teacher's width, one a state, trained with it."""

    start: Literal["uniform", "orthogonal", "normal"] = Field(
        default="uniform",
        description="uniform: torch's own; orthogonal: keeps lengths; normal: keeps the RMS on average.",
    )
    bias: bool = Field(default=False, description="The paper's Qwen3 code has one.")
    learning_rate: Rate | None = Field(
        default=None, description="null: train.learning_rate. The paper's Qwen3 code has 2e-5."
    )


class LoraConfig(Frozen):
    """Low-rank adapters (Hu et al., 2022): beside a frozen weight W, alpha / r * B A is trained.

    Heads that a checkpoint may lack are trained whole; all else is frozen, embeddings too.
    """

    r: Positive = Field(description="The rank; the paper has 32 for its teachers and 128 for its students.")
    alpha: Rate = 32
    dropout: Annotated[float, Field(ge=0, lt=1)] = Field(default=0.0, description="Before A, in training.")
    targets: Annotated[list[str], Field(min_length=1)] | None = Field(
        default=None, description="Ends of names, such as q_proj; null: every linear layer of the blocks."
    )


class StudentLoraConfig(LoraConfig):
    """The adapters of a student, and the form in which it is saved."""

    save: Literal["merged", "adapter"] = Field(
        default="merged",
        description="adapter: apart, beside the weights that it adapts; needs peft to load.",
    )


class LoraConfigs(Frozen):
    """Which models are trained through adapters; a teacher's are merged into it."""

    teacher: LoraConfig | None = None
    student: StudentLoraConfig | None = None


def _none_or_some(lora: LoraConfigs | None) -> LoraConfigs | None:
    """Neither teacher's nor student's is none: one thing has one form."""
    return None if lora == LoraConfigs() else lora


class ModelConfig(Frozen):
    """The teacher and the shape of its student."""

    name: str = Field(min_length=1, description="What tables and tags show.")
    family: str
    teacher: str | FromScratch = Field(description="A folder, a hub id, or a config to train one from scratch.")
    revision: str | None = None
    shape: dict[str, Any] | None = Field(
        default=None,
        description="Fields of the teacher's transformers config, so that --plan needs no download of a hub id; "
        "what is run is looked up, and has to be of this shape.",
    )
    finetune: FinetuneConfig | None = Field(default=None, description="null: the teacher is ready.")
    student_blocks: Positive = Field(default=3, description="Blocks of each stack of the student.")
    student_width: Positive | None = Field(default=None, description="null: the teacher's.")
    projection: ProjectionConfig = ProjectionConfig()
    copy_classifier: bool = Field(default=False, description="With init: teacher, copy the classification head too.")
    lora: Annotated[LoraConfigs | None, AfterValidator(_none_or_some)] = Field(
        default=None, description="null: all weights are trained."
    )

    @property
    def teacher_lora(self) -> LoraConfig | None:
        return self.lora.teacher if self.lora else None

    @property
    def student_lora(self) -> StudentLoraConfig | None:
        return self.lora.student if self.lora else None

    @model_validator(mode="after")
    def _what_is_trained(self) -> ModelConfig:
        if isinstance(self.teacher, FromScratch) and self.finetune is None:
            raise ValueError("finetune: got null; a teacher built from a config has to be trained")
        if self.finetune is None and self.teacher_lora is not None:
            raise ValueError("lora: got a teacher's without finetune; a ready teacher learns nothing: teacher: null")
        return self


class Files(Frozen):
    """Local data files: JSON lines, CSV, TSV or Parquet."""

    train: str
    validation: str
    test: str


class Generated(Frozen):
    """A task made on the spot, the same on every machine."""

    generator: str = Field(description="natural_logic, localisation, or one of a plug-in.")
    train: Positive = 4000
    validation: Positive = 200
    test: Positive = 400
    seed: int = 0


class Hub(Frozen):
    """A data set of the Hugging Face hub, or a local folder in the same form."""

    path: str = Field(min_length=1, description="An id such as nyu-mll/glue, or a folder that holds such a data set.")
    name: str | None = Field(default=None, description="Which of the data set's configurations.")
    revision: str | None = Field(
        default=None, description="A commit or branch; null: the newest, which the storage then keeps to."
    )


class Sample(Frozen):
    """A part of the training split, drawn once."""

    train: Positive
    seed: int = 0


class Examples(Frozen):
    """How many examples the splits have, for a plan; what is run is counted."""

    train: Positive
    validation: Positive
    test: Positive


class TaskConfig(Frozen):
    """Data and how it is read. A field's name in the data is dotted where it is nested: answers.input_text."""

    name: str = Field(min_length=1)
    kind: str = Field(description="classification, generation, multiple_choice or question_answering.")
    files: Files | None = None
    generated: Generated | None = None
    hub: Hub | None = None
    splits: dict[str, str] | None = Field(
        None,
        description="hub: what train, validation and test are, such as train[-2000:], or one of the others; "
        "further names are further test splits. train is without what the others take of it.",
    )
    sample: Sample | None = Field(None, description="files and hub: how much of the training split is used; null: all.")
    examples: Examples | None = Field(
        None, description="hub: the numbers of examples, about, so that --plan needs no download."
    )
    prefix: str = Field(default="", description="Stands before each input but a classifier's, such as T5's task name.")
    text: Annotated[list[str], Field(min_length=1, max_length=2)] | None = Field(
        None, description="classification: one field, or two for a pair."
    )
    label: str = "label"
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
    max_new_tokens: Positive = 64
    num_beams: Positive = 1
    num_eval: Positive | None = Field(
        None, description="Examples of the validation split that evaluations during training use; null: all."
    )

    @model_validator(mode="after")
    def _one_source(self) -> TaskConfig:
        if [self.files, self.hub, self.generated].count(None) != 2:
            raise ValueError("files: give one of files, hub and generated")
        if self.hub is None and self.splits is not None:
            raise ValueError("splits: only a hub task has splits to choose from")
        if self.hub is None and self.examples is not None:
            raise ValueError("examples: only a hub task needs them")
        if self.generated is not None and self.sample is not None:
            raise ValueError("sample: a generated task has its sizes in generated")
        return self


class LossConfig(Frozen):
    """Weights of the terms: ce * CE + kl * T^2 KL + hidden * MSE."""

    ce: Weight = 1.0
    kl: Weight = 1.0
    hidden: Weight = 3.0
    temperature: Rate = 1.0
    semantics: Literal["clean", "official"] = Field(
        default="clean",
        description="official: as the paper's public code; Qwen3's needs hidden_norm l2.",
    )
    hidden_norm: Literal["none", "l2", "layernorm"] = "none"

    @model_validator(mode="after")
    def _something_to_learn(self) -> LossConfig:
        if self.ce == self.kl == 0:
            raise ValueError("ce: got 0 beside kl: 0; the output layer needs one of them")
        return self


def read_strategy(value: Any) -> Any:
    """A strategy from its name, or from a mapping of its kind and parameters."""
    if isinstance(value, Strategy):
        return value
    fields = {"kind": value} if isinstance(value, str) else value
    if not isinstance(fields, dict) or not isinstance(fields.get("kind"), str):
        raise ValueError(f"give a strategy's name or a mapping with its kind; one of {', '.join(STRATEGIES)}")
    kind = fields["kind"]
    if kind not in STRATEGIES:
        near = difflib.get_close_matches(kind, STRATEGIES, n=1)
        guess = f"; did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"no strategy {kind!r}{guess} One of {', '.join(STRATEGIES)}")
    return STRATEGIES[kind].model_validate(fields)


StrategyField = Annotated[
    SerializeAsAny[Strategy],
    BeforeValidator(read_strategy),
    WithJsonSchema({"anyOf": [{"enum": list(STRATEGIES)}, {"type": "object", "required": ["kind"]}]}),
]


def read_named(kind: str, table: dict[str, dict[str, Any]]) -> Callable[[Any], Any]:
    """A validator that takes the name of a built-in model or task for the mapping it stands for."""

    def read(value: Any) -> Any:
        if not isinstance(value, str):
            return value
        if value not in table:
            raise ValueError(f"no built-in {kind} {value!r}; one of {', '.join(table)}, or a mapping")
        return table[value]

    return read


class TrialConfig(Frozen):
    """One cell, resolved."""

    model: Annotated[ModelConfig, BeforeValidator(read_named("model", MODELS))]
    task: Annotated[TaskConfig, BeforeValidator(read_named("task", TASKS))]
    strategy: StrategyField = STRATEGIES["forward"](kind="forward")
    init: Literal["random", "teacher"] = "teacher"
    seed: int = 0
    train: TrainConfig = TrainConfig()
    losses: LossConfig = LossConfig()
    targets: Literal["live", "auto"] = Field(
        default="auto", description="auto and live: the teacher runs beside the student."
    )
    dtype: Literal["fp32", "bf16", "auto"] = Field(default="auto", description="auto: what the hardware is fast at.")
