"""The same distillation as a user would write it on other libraries, with a live teacher in bf16."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from peft import LoraConfig, get_peft_model
from torch import Tensor, nn
from torch.utils.data import DataLoader
from transformers import PreTrainedModel, Trainer, TrainerCallback, TrainingArguments

from benchmarks.alone import NUM_EXAMPLES, STEPS
from benchmarks.clock import clock
from benchmarks.run import Measured, Run
from benchmarks.setting import PAD_ID, start, teacher_of
from benchmarks.shapes import Shape, shapes
from benchmarks.timing import per_step
from trainables import student
from trainables.cell import map_stacks
from trainables.config import TrialConfig
from trainables.losses import IGNORED
from trainables.tasks.batches import collate

Pairs = list[tuple[str, int, int]]
"""The name of an output, the student's state in it, the teacher's."""


class Pair:
    """A teacher in bf16 and a student, in plain transformers and peft."""

    def __init__(self, shape: Shape) -> None:
        self.device, self.shape = start(), shape
        self.config: TrialConfig = shape.config("bf16")
        family = shape.of()
        teacher: Any = teacher_of(shape, self.device)
        plain = self.config.model.model_copy(update={"lora": None})
        with torch.device(self.device):
            model: Any = student.build(family, teacher, plain, "teacher", seed=0).model
        if self.config.train.freeze_embeddings:
            student.freeze_embeddings(family, model)
        self.teacher: Any = teacher.to(torch.bfloat16).requires_grad_(False)
        self.student: Any = model
        if lora := self.config.model.student_lora:
            adapter = LoraConfig(
                r=lora.r, lora_alpha=int(lora.alpha), lora_dropout=lora.dropout, target_modules="all-linear"
            )
            self.student = get_peft_model(model.to(torch.bfloat16), adapter)
        mapping = map_stacks(self.config, family, family.num_blocks(teacher.config.to_dict()))
        prefix = family.form == "encoder_decoder"
        self.pairs: Pairs = [
            (f"{stack}_hidden_states" if prefix else "hidden_states", small, large)
            for stack, pairs in mapping.items()
            for small, large in pairs.items()
        ]

    def loss(self, seen: Any, wanted: Any, labels: Tensor) -> Tensor:
        """CE + KL + 3 MSE of matched states, over all positions of the states."""
        logits, targets = seen.logits, wanted.logits
        if labels.dim() == 2:
            if self.shape.of().form == "decoder":
                logits, targets, labels = logits[:, :-1], targets[:, :-1], labels[:, 1:]
            real = labels != IGNORED
            logits, targets = logits[real], targets[real]
        temperature = self.config.losses.temperature
        kl = F.kl_div(
            F.log_softmax(logits.float() / temperature, -1),
            F.softmax(targets.float() / temperature, -1),
            reduction="batchmean",
        )
        hidden = torch.stack([F.mse_loss(seen[key][i].float(), wanted[key][j].float()) for key, i, j in self.pairs])
        return seen.loss + temperature**2 * kl + 3 * hidden.mean()


class Distiller(Trainer):
    """Hugging Face's Trainer with a teacher beside the model."""

    def __init__(self, pair: Pair, **given: Any) -> None:
        super().__init__(model=pair.student, **given)
        self.pair = pair

    def compute_loss(self, model: nn.Module, inputs: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        del args, kwargs
        with torch.no_grad():
            wanted = self.pair.teacher(**inputs, output_hidden_states=True)
        return self.pair.loss(model(**inputs, output_hidden_states=True), wanted, inputs["labels"])


class Clock(TrainerCallback):
    """The time at the end of each step."""

    def __init__(self, device: torch.device) -> None:
        self.device, self.ends = device, list[float]()

    def on_step_end(self, *args: Any, **kwargs: Any) -> None:
        del args, kwargs
        self.ends.append(clock(self.device))


def trainer(run: Run) -> Measured:
    """Hugging Face's Trainer at each shape: drawn batches, padded to their longest text."""
    for name in STEPS:
        num_steps = 7 if run.dry else STEPS[name]
        pair = Pair(shapes(dry=run.dry)[name])
        recipe = pair.config.train
        # Its user has no reason to ask for deterministic kernels.
        torch.use_deterministic_algorithms(False)
        with tempfile.TemporaryDirectory() as folder:
            arguments = TrainingArguments(
                output_dir=folder,
                max_steps=num_steps,
                per_device_train_batch_size=recipe.batch_size,
                gradient_accumulation_steps=recipe.accumulation,
                gradient_checkpointing=recipe.gradient_checkpointing,
                learning_rate=recipe.learning_rate,
                optim="adafactor" if recipe.optimizer == "adafactor" else "adamw_torch_fused",
                bf16=True,
                use_cpu=pair.device.type == "cpu",
                report_to=[],
                save_strategy="no",
                disable_tqdm=True,
                remove_unused_columns=False,
            )
            timer = Clock(pair.device)
            data: Any = pair.shape.examples(NUM_EXAMPLES)
            Distiller(
                pair,
                args=arguments,
                train_dataset=data,
                data_collator=lambda examples: collate(examples, PAD_ID),
                callbacks=[timer],
            ).train()
        yield name, compared(run, name, per_step(timer.ends), pair.config)


def compared(run: Run, name: str, timed: dict[str, float], config: TrialConfig) -> dict[str, Any]:
    """The figures of a rival, behind how many times as long as its own the project's step takes."""
    alone = run.results().get("alone", {}).get(f"{name} bf16", {}).get("ms_per_step")
    examples = config.train.batch_size * config.train.accumulation
    return {
        **({"speed_of_one_cell_alone_against_it": timed["ms_per_step"] / alone} if alone else {}),
        **timed,
        "examples_per_second": 1000 * examples / timed["ms_per_step"],
    }


def textbrewer(run: Run) -> Measured:
    """TextBrewer's GeneralDistiller on BERT, under autocast, which it does not have of its own for bf16."""
    try:
        from textbrewer import DistillationConfig, GeneralDistiller, TrainingConfig  # pyright: ignore
    except ImportError as error:
        yield "bert-base", {"skipped": f"textbrewer cannot be imported: {error}"}
        return
    pair = Pair(shapes(dry=run.dry)["bert-base"])
    torch.use_deterministic_algorithms(False)
    num_steps = 7 if run.dry else STEPS["bert-base"]
    matches = [
        {"layer_T": large, "layer_S": small, "feature": "hidden", "loss": "hidden_mse", "weight": 1}
        for _, small, large in pair.pairs
    ]
    recipe = pair.config.train
    loader = DataLoader(
        pair.shape.examples(NUM_EXAMPLES),  # pyright: ignore[reportArgumentType]
        batch_size=recipe.batch_size,
        shuffle=True,
        collate_fn=lambda examples: collate(examples, PAD_ID),
    )

    def adapted(batch: Mapping[str, Tensor], outputs: Any) -> dict[str, Any]:
        return {
            "logits": (outputs.logits,),
            "losses": (outputs.loss,),
            "hidden": outputs.hidden_states,
            "attention_mask": batch["attention_mask"],
        }

    ends: list[float] = []
    pair.student.register_forward_pre_hook(lambda *_: ends.append(clock(pair.device)))
    with tempfile.TemporaryDirectory() as folder:
        distiller = GeneralDistiller(
            TrainingConfig(device=pair.device, log_dir=None, output_dir=folder, ckpt_steps=10**6),
            DistillationConfig(
                temperature=1, hard_label_weight=1, kd_loss_weight=1, kd_loss_type="ce", intermediate_matches=matches
            ),
            pair.teacher,
            pair.student,
            adapted,
            adapted,
        )
        optimizer = torch.optim.AdamW(pair.student.parameters(), lr=recipe.learning_rate, fused=True)
        _give_states(pair.teacher)
        _give_states(pair.student)
        with distiller, torch.autocast(pair.device.type, torch.bfloat16):
            distiller.train(optimizer, loader, num_epochs=None, num_steps=num_steps, max_grad_norm=1.0)
    yield "bert-base", compared(run, "bert-base", per_step(ends), pair.config)


def _give_states(model: PreTrainedModel) -> None:
    """Has a model give its hidden states whenever it is run."""
    model.config.output_hidden_states = True
