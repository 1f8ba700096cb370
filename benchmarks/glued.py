"""The sweep that a user would glue together: Ray Tune over a Hugging Face Trainer with a live teacher, and MLflow.

    python -m benchmarks.glued DATA TEACHER FOLDER --steps 60 --dtype fp32

`DATA` has train.jsonl, dev.jsonl and test.jsonl of SST-2, `TEACHER` is a classifier of the BERT family in
`save_pretrained` form. Each cell evaluates and tests its student, as those of this project do.
"""

from __future__ import annotations

import argparse
import os
import random
from itertools import product
from pathlib import Path
from typing import Any

import mlflow
import ray
from ray import tune

STRATEGIES = ("none", "forward", "reverse", "all_to_one", "random")
INITS = ("random", "teacher")
BATCH, MAX_LENGTH, NUM_BLOCKS = 32, 128, 3


def mapping(strategy: str, num_teacher: int) -> dict[int, int]:
    """Student block -> teacher block."""
    even = [-(-block * num_teacher // NUM_BLOCKS) for block in range(1, NUM_BLOCKS + 1)]
    blocks = {
        "none": [],
        "forward": even,
        "reverse": even[::-1],
        "all_to_one": [num_teacher // 2] * NUM_BLOCKS,
        "random": random.Random(0).sample(even, NUM_BLOCKS),
    }[strategy]
    return dict(enumerate(blocks, start=1))


def train(config: dict[str, Any], options: argparse.Namespace) -> None:
    """One trial: a student under its teacher."""
    import torch
    import torch.nn.functional as F
    from datasets import load_dataset
    from transformers import AutoModelForSequenceClassification, AutoTokenizer, Trainer, TrainingArguments

    torch.set_num_threads(1)
    os.environ |= {"MLFLOW_TRACKING_URI": f"sqlite:///{options.folder}/mlflow.db", "MLFLOW_EXPERIMENT_NAME": "glued"}
    tokenizer = AutoTokenizer.from_pretrained(options.teacher)
    teacher: Any = AutoModelForSequenceClassification.from_pretrained(options.teacher).eval().requires_grad_(False)
    pairs = mapping(config["strategy"], teacher.config.num_hidden_layers)
    shape = teacher.config.__class__(**{**teacher.config.to_dict(), "num_hidden_layers": NUM_BLOCKS})
    student: Any = AutoModelForSequenceClassification.from_config(shape)
    if config["init"] == "teacher":
        student.bert.embeddings.load_state_dict(teacher.bert.embeddings.state_dict())
        for block, number in mapping("forward", teacher.config.num_hidden_layers).items():
            student.bert.encoder.layer[block - 1].load_state_dict(teacher.bert.encoder.layer[number - 1].state_dict())

    class Distiller(Trainer):
        def compute_loss(self, model: Any, inputs: Any, return_outputs: bool = False, **_: Any) -> Any:
            seen = model(**inputs, output_hidden_states=True)
            with torch.no_grad():
                wanted = teacher(**inputs, output_hidden_states=True)
            loss = seen.loss + F.kl_div(
                seen.logits.log_softmax(-1), wanted.logits.log_softmax(-1), reduction="batchmean", log_target=True
            )
            real = inputs["attention_mask"].bool()
            distances = [
                F.mse_loss(seen.hidden_states[one][real], wanted.hidden_states[other][real])
                for one, other in pairs.items()
            ]
            loss = loss + 3 * torch.stack(distances).mean() if distances else loss
            # The evaluation needs the logits alone.
            return (loss, {"loss": loss, "logits": seen.logits}) if return_outputs else loss

    files = {name: str(options.data / f"{name}.jsonl") for name in ("train", "dev", "test")}
    data = load_dataset("json", data_files=files).map(
        lambda rows: tokenizer(rows["sentence"], truncation=True, max_length=MAX_LENGTH), batched=True
    )
    trainer = Distiller(
        model=student,
        args=TrainingArguments(
            output_dir=f"{options.folder}/{config['strategy']}-{config['init']}",
            run_name=f"{config['strategy']} {config['init']}",
            max_steps=options.steps,
            per_device_train_batch_size=BATCH,
            per_device_eval_batch_size=BATCH,
            learning_rate=1e-4,
            train_sampling_strategy="group_by_length",
            eval_strategy="steps",
            eval_steps=options.evaluate_every,
            save_strategy="no",
            logging_steps=max(1, options.steps // 100),
            report_to="mlflow",
            use_cpu=True,
            bf16=options.dtype == "bf16",
            disable_tqdm=True,
        ),
        train_dataset=data["train"],
        eval_dataset=data["dev"],
        processing_class=tokenizer,
        compute_metrics=lambda found: {"accuracy": float((found.predictions.argmax(-1) == found.label_ids).mean())},
    )
    trainer.train()
    test = trainer.evaluate(data["test"], metric_key_prefix="test")
    trainer.save_model()
    tune.report({"accuracy": test["test_accuracy"]})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("data", "teacher", "folder"):
        parser.add_argument(name, type=lambda path: Path(path).absolute())
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--evaluate-every", type=int, default=60)
    parser.add_argument("--dtype", choices=["fp32", "bf16"], default="fp32")
    options = parser.parse_args()
    os.environ |= {"RAY_worker_niceness": "0", "RAY_USAGE_STATS_ENABLED": "0"}
    options.folder.mkdir(parents=True)
    mlflow.set_tracking_uri(f"sqlite:///{options.folder}/mlflow.db")
    mlflow.set_experiment("glued")  # before the trials, which would otherwise make the database at the same time
    ray.init(address="local", include_dashboard=False, logging_level="error", log_to_driver=False)
    grid = {"strategy": tune.grid_search(list(STRATEGIES)), "init": tune.grid_search(list(INITS))}
    results = tune.Tuner(
        tune.with_resources(tune.with_parameters(train, options=options), {"cpu": 1}),
        param_space=grid,
        run_config=tune.RunConfig(storage_path=str(options.folder / "tune"), verbose=0),
    ).fit()
    assert not results.errors, results.errors
    assert len(results) == len([*product(STRATEGIES, INITS)])
    ray.shutdown()


if __name__ == "__main__":
    main()
