"""The teacher, how it is trained, and the shape of its student."""

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
    vocab_size: Positive = Field(default=4000, description="The largest vocabulary size.")


class FromScratch(Frozen):
    """A teacher built from a config and trained; `config` holds fields of the family's transformers config."""

    config: dict[str, Any] = Field(description="Fields of the family's transformers config.")
    tokenizer: TokenizerConfig = TokenizerConfig()


class ProjectionConfig(Frozen):
    """The maps from a narrower or wider student's states to the teacher's width: one per state, trained with it."""

    start: Literal["uniform", "orthogonal", "normal"] = Field(
        default="uniform",
        description="uniform: torch's default; orthogonal: keeps lengths; normal: keeps the RMS on average.",
    )
    bias: bool = Field(default=False, description="Whether the map has a bias, as in the paper's Qwen3 code.")
    learning_rate: Rate | None = Field(
        default=None, description="null: the same as train.learning_rate. The paper's Qwen3 code uses 2e-5."
    )


class LoraConfig(Frozen):
    """Low-rank adapters (Hu et al., 2022): the weight W is frozen, and alpha / r * B A is trained beside it.

    A head that a checkpoint may lack is trained in full; everything else is frozen, including the embeddings.
    """

    r: Positive = Field(description="The rank; the paper uses 32 for its teachers and 128 for its students.")
    alpha: Rate = Field(default=32, description="The adapters' output is scaled by alpha / r.")
    dropout: Annotated[float, Field(ge=0, lt=1)] = Field(
        default=0.0, description="The dropout before A during training."
    )
    targets: Annotated[list[str], Field(min_length=1)] | None = Field(
        default=None, description="Suffixes of layer names, such as q_proj; null: every linear layer of the blocks."
    )


class StudentLoraConfig(LoraConfig):
    """The adapters of a student, and how it is saved."""

    save: Literal["merged", "adapter"] = Field(
        default="merged",
        description="merged: one plain model; adapter: base weights and adapters apart, which needs peft to load.",
    )


class LoraConfigs(Frozen):
    """Which models are trained through adapters; a teacher's adapters are merged into it afterwards."""

    teacher: LoraConfig | None = None
    student: StudentLoraConfig | None = None


def _null_if_empty(lora: LoraConfigs | None) -> LoraConfigs | None:
    """An empty mapping becomes null, so that equal settings have equal hashes."""
    return None if lora == LoraConfigs() else lora


class ModelConfig(Frozen):
    """The teacher and the shape of its student."""

    name: str = Field(min_length=1, description="The name that tables and tags show.")
    family: str = Field(description="The model family: a built-in one or one from a plug-in.")
    teacher: str | FromScratch = Field(description="A folder, a hub id, or a config to train one from scratch.")
    revision: str | None = Field(default=None, description="A commit, tag or branch of a hub id.")
    shape: dict[str, Any] | None = Field(
        default=None,
        description="Fields of the teacher's transformers config, so that --plan downloads nothing for a hub id; "
        "a run loads the model, which must have this shape.",
    )
    finetune: FinetuneConfig | None = Field(default=None, description="null: the teacher is used as it is.")
    student_blocks: Positive = Field(default=3, description="The number of blocks in each stack of the student.")
    student_width: Positive | None = Field(default=None, description="null: the same as the teacher's.")
    projection: ProjectionConfig = ProjectionConfig()
    copy_classifier: bool = Field(
        default=False, description="Whether init: teacher also copies the classification head."
    )
    lora: Annotated[LoraConfigs | None, AfterValidator(_null_if_empty)] = Field(
        default=None, description="null: all weights are trained."
    )

    @property
    def teacher_lora(self) -> LoraConfig | None:
        return self.lora.teacher if self.lora else None

    @property
    def student_lora(self) -> StudentLoraConfig | None:
        return self.lora.student if self.lora else None

    @model_validator(mode="after")
    def _check_training(self) -> ModelConfig:
        if isinstance(self.teacher, FromScratch) and self.finetune is None:
            raise ValueError("finetune: got null; a teacher built from a config has to be trained")
        if self.finetune is None and self.teacher_lora is not None:
            raise ValueError(
                "lora: got adapters for a teacher without finetune; a ready teacher is not trained: give teacher: null"
            )
        return self
