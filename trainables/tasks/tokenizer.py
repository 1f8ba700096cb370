"""A tokenizer trained on a task's own texts, with the special tokens and templates of a model family."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from trainables.errors import InputError, Problem

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerFast

    from trainables.config import TokenizerConfig
    from trainables.families.base import Family


def train_tokenizer(config: TokenizerConfig, family: Family, texts: Iterable[str]) -> PreTrainedTokenizerFast:
    """The tokenizer that `train` makes, for transformers."""
    from transformers import PreTrainedTokenizerFast

    # Without this, plain transformers would pass segments to models that take none.
    segments = ["token_type_ids"] if family.has_segments else []
    return PreTrainedTokenizerFast(
        tokenizer_object=train(config, family, texts),
        model_input_names=["input_ids", *segments, "attention_mask"],
        clean_up_tokenization_spaces=False,
        **family.special_tokens,
    )


def train(config: TokenizerConfig, family: Family, texts: Iterable[str]) -> Tokenizer:
    """A tokenizer of at most `vocab_size` entries (byte_bpe: at least the 256 bytes), the same for the same texts.

    byte_bpe reproduces every text exactly, and encodes a number alike with and without a space before it; for a
    family with a split pattern it reproduces the NFC form, and encodes each digit alone. word splits at white space,
    punctuation and digits, loses the places of the spaces, and raises InputError for a family without an unknown token.
    """
    from tokenizers.processors import TemplateProcessing

    specials = list(dict.fromkeys(family.special_tokens.values()))
    if config.kind == "word":
        tokenizer = _train_word(config, specials, family.special_tokens.get("unk_token"), texts)
    else:
        tokenizer = _train_byte_bpe(config, specials, family.split_pattern, texts)
    if family.template_single is not None:
        ids = [(token, tokenizer.token_to_id(token)) for token in specials]
        tokenizer.post_processor = TemplateProcessing(
            single=family.template_single, pair=family.template_pair, special_tokens=ids
        )
    return tokenizer


def _train_word(config: TokenizerConfig, specials: list[str], unknown: str | None, texts: Iterable[str]) -> Tokenizer:
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    if unknown is None:
        message = "got word; the model family has no unknown token, which needs byte_bpe"
        raise InputError([Problem("tokenizer.kind", message)])
    tokenizer = Tokenizer(models.WordLevel(unk_token=unknown))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Whitespace(), pre_tokenizers.Digits(individual_digits=True)]
    )
    trainer = trainers.WordLevelTrainer(vocab_size=config.vocab_size, special_tokens=specials, show_progress=False)
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def _train_byte_bpe(
    config: TokenizerConfig, specials: list[str], split_pattern: str | None, texts: Iterable[str]
) -> Tokenizer:
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    if split_pattern is None:
        split = pre_tokenizers.Digits(individual_digits=False)
    else:
        split = pre_tokenizers.Split(Regex(split_pattern), behavior="isolated")
        tokenizer.normalizer = normalizers.NFC()
    to_bytes = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=split_pattern is None)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, to_bytes])
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=config.vocab_size,
        special_tokens=specials,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer
