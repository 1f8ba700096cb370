"""The teacher, how it is made, and the shape of its student."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from trainables.config.fields import Frozen, Positive, Rate
from trainables.config.train import FinetuneConfig


class TokenizerConfig(Frozen):
    """A tokenizer trained on the training split of the task."""

    kind: Literal["word", "byte_bpe"] = Field(
        default="byte_bpe", description="word: split at white space and punctuation."
    )
    vocab_size: Positive = Field(default=4000, description="The most entries that the vocabulary may have.")


class FromScratch(Frozen):
    """A teacher built from a config and trained; `config` holds fields of the family's transformers config."""

    config: dict[str, Any] = Field(description="Fields of the family's transformers config.")
    tokenizer: TokenizerConfig = TokenizerConfig()


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
    alpha: Rate = Field(default=32, description="What the adapters add is scaled by alpha / r.")
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
    family: str = Field(description="The model family, a built-in one or a plug-in's.")
    teacher: str | FromScratch = Field(description="A folder, a hub id, or a config to train one from scratch.")
    revision: str | None = Field(default=None, description="A commit, tag or branch of a hub id.")
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
