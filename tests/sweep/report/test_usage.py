"""The three lines that use a student run as they are printed, without this project."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import fsspec
import pytest
import torch
import transformers
from tokenizers import Tokenizer, models, pre_tokenizers

from sweep.report.usage import usage
from trainables.config import TrialConfig

SIZES: dict[str, dict[str, Any]] = {
    "BertForSequenceClassification": {
        "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 8,
    },
    "BertForTokenClassification": {
        "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 8,
    },
    "BartForConditionalGeneration": {
        "d_model": 8, "encoder_layers": 1, "decoder_layers": 1, "encoder_attention_heads": 1,
        "decoder_attention_heads": 1, "encoder_ffn_dim": 8, "decoder_ffn_dim": 8,
        "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 1, "decoder_start_token_id": 1, "forced_eos_token_id": 1,
    },
    "Qwen3ForCausalLM": {
        "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1, "num_key_value_heads": 1,
        "head_dim": 8, "intermediate_size": 8, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 1,
    },
}  # fmt: skip
WORDS = ["[PAD]", "[EOS]", "[UNK]", "your", "text", "the", "other", '"']


@pytest.mark.parametrize(
    ("family", "task", "model", "start"),
    [
        ("bert", "natural-logic", "BertForSequenceClassification", "{'label': 'LABEL_"),
        ("bert", "stsb", "BertForSequenceClassification", "{'label': 'LABEL_"),
        ("bert", "conll2003", "BertForTokenClassification", "[{'entity_group': '"),
        ("bart", "localisation", "BartForConditionalGeneration", "other other"),
        ("qwen3", "localisation", "Qwen3ForCausalLM", "other other"),
    ],
)
def test_the_lines_run(
    family: str,
    task: str,
    model: str,
    start: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = tmp_path / 'a student\'s "folder"'
    words = Tokenizer(models.WordLevel({word: number for number, word in enumerate(WORDS)}, unk_token="[UNK]"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=words, pad_token="[PAD]", eos_token="[EOS]", unk_token="[UNK]"
    )
    tokenizer.save_pretrained(folder)
    kind = getattr(transformers, model)
    torch.manual_seed(0)
    student = kind(kind.config_class(vocab_size=len(WORDS), max_position_embeddings=32, **SIZES[model]))
    if family == "bart":
        student.final_logits_bias[0, WORDS.index("other")] = 100.0
    if family == "qwen3":
        student.model.embed_tokens.weight.data.fill_(1.0)
        student.lm_head.weight.data.zero_()[WORDS.index("other")] = 1.0
        student.generation_config.update(do_sample=False, max_new_tokens=2)
    student.save_pretrained(folder)
    fields = {"model": {"name": "m", "family": family, "teacher": "t"}, "task": task}
    config = TrialConfig.model_validate(fields)
    lines = usage(config, str(folder))
    assert len(lines) == 3
    assert not any("sweep" in line or "trainables" in line for line in lines)
    capsys.readouterr()
    exec("\n".join(lines), {})
    assert capsys.readouterr().out.startswith(start)
    fsspec.filesystem("memory").put(f"{folder}/", "memory://bucket/student/", recursive=True)
    monkeypatch.chdir(tmp_path)
    from_url = usage(config, "memory://bucket/student")
    for _ in range(2):  # the second time, the folder is there already
        exec("\n".join(from_url), {})
        assert capsys.readouterr().out.startswith(start)
    assert from_url[1:] == usage(config, "student")
