"""The built-in models and tasks, by name, as in `model: tiny-bert` and `task: natural-logic`."""

from __future__ import annotations

from typing import Any

from trainables.hub_tasks import HUB_TASKS

MODELS: dict[str, dict[str, Any]] = {
    "tiny-bert": {
        "name": "tiny-bert",
        "family": "bert",
        "teacher": {
            "config": {
                "hidden_size": 64,
                "num_hidden_layers": 6,
                "num_attention_heads": 4,
                "intermediate_size": 128,
                "max_position_embeddings": 32,
                "initializer_range": 0.1,
                "hidden_dropout_prob": 0.0,
                "attention_probs_dropout_prob": 0.0,
            },
            "tokenizer": {"kind": "word"},
        },
        "finetune": {
            "max_steps": 450,  # test accuracy 0.93 to 0.99 over five seeds; with 360, three stay under 0.90
            "learning_rate": 1.5e-3,
            "warmup_steps": 40,
            "batch_size": 64,
            "evaluate_every": 3.0,
        },
    },
    "tiny-bart": {
        "name": "tiny-bart",
        "family": "bart",
        "teacher": {
            "config": {
                "d_model": 64,
                "encoder_layers": 6,
                "decoder_layers": 6,
                "encoder_attention_heads": 4,
                "decoder_attention_heads": 4,
                "encoder_ffn_dim": 256,
                "decoder_ffn_dim": 256,
                "max_position_embeddings": 64,
                "init_std": 0.1,
                "dropout": 0.0,
            },
            "tokenizer": {"kind": "byte_bpe", "vocab_size": 600},
        },
        "finetune": {"max_steps": 400, "learning_rate": 1e-3, "warmup_steps": 50, "batch_size": 32},
    },
    "tiny-t5": {
        "name": "tiny-t5",
        "family": "t5",
        "teacher": {
            "config": {"d_model": 64, "d_kv": 16, "d_ff": 256, "num_layers": 6, "num_heads": 4, "dropout_rate": 0.0},
            "tokenizer": {"kind": "byte_bpe", "vocab_size": 600},
        },
        "finetune": {
            "max_steps": 300,
            "optimizer": "adafactor",
            "scale_parameter": True,
            "learning_rate": 3e-2,
            "warmup_steps": 50,
            "weight_decay": 0.0,
            "batch_size": 32,
        },
    },
    "tiny-qwen3": {
        "name": "tiny-qwen3",
        "family": "qwen3",
        "teacher": {
            "config": {
                "hidden_size": 64,
                "intermediate_size": 192,
                "num_hidden_layers": 6,
                "num_attention_heads": 4,
                "num_key_value_heads": 2,
                "head_dim": 16,
                "max_position_embeddings": 64,
                "initializer_range": 0.1,
            },
            "tokenizer": {"kind": "byte_bpe", "vocab_size": 600},
        },
        "finetune": {"max_steps": 600, "learning_rate": 2e-3, "warmup_steps": 50, "batch_size": 32},
    },
}

TASKS: dict[str, dict[str, Any]] = {
    "natural-logic": {
        "name": "natural-logic",
        "kind": "classification",
        "generated": {"generator": "natural_logic", "train": 3000, "validation": 200, "test": 400},
        "text": ["premise", "hypothesis"],
        "label": "label",
        "max_length": 16,
    },
    "localisation": {
        "name": "localisation",
        "kind": "generation",
        "generated": {"generator": "localisation", "train": 6000, "validation": 200, "test": 400},
        "source": "source",
        "target": "target",
        "max_length": 24,
        "max_new_tokens": 16,
    },
    **HUB_TASKS,
}
