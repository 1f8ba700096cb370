import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoTokenizer

from trainables.config import TokenizerConfig
from trainables.errors import InputError
from trainables.families import FAMILIES
from trainables.tasks.tokenizer import train_tokenizer

TEXTS = ["all dogs walk", "no dogs dance, 13 of 25 walk", "on March 13 and 25 euros"] * 3
BYTES = TokenizerConfig(kind="byte_bpe", vocab_size=400)
WORDS = TokenizerConfig(kind="word", vocab_size=40)
LOSSLESS = train_tokenizer(BYTES, FAMILIES["qwen3"], TEXTS)

PAIRS = {
    "bert": ["[CLS]", "dogs", "[SEP]", "walk", "[SEP]"],
    "roberta": ["<s>", "dogs", "</s>", "</s>", "walk", "</s>"],
    "distilbert": ["[CLS]", "dogs", "[SEP]", "walk", "[SEP]"],
    "llama": ["<s>", "dogs", "<s>", "walk"],
    "bart": ["<s>", "dogs", "</s>", "</s>", "walk", "</s>"],
    "t5": ["dogs", "</s>", "walk", "</s>"],
}


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("config", [BYTES, WORDS], ids=["byte_bpe", "word"])
def test_it_is_the_same_in_plain_transformers(tmp_path, family, config):
    if "unk_token" not in FAMILIES[family].special_tokens and config is WORDS:
        with pytest.raises(InputError, match=r"tokenizer\.kind: got word; "):
            train_tokenizer(config, FAMILIES[family], TEXTS)
        return
    tokenizer = train_tokenizer(config, FAMILIES[family], TEXTS)
    tokenizer.save_pretrained(tmp_path)
    loaded = AutoTokenizer.from_pretrained(tmp_path)
    assert dict(loaded("dogs dance 7", "walk")) == dict(tokenizer("dogs dance 7", "walk"))
    assert loaded.get_vocab() == tokenizer.get_vocab()
    assert loaded.special_tokens_map == tokenizer.special_tokens_map == FAMILIES[family].special_tokens
    assert ("token_type_ids" in loaded("dogs")) == FAMILIES[family].has_segments


def test_qwen2_splits_as_its_class_in_transformers():
    from transformers.models.qwen2.tokenization_qwen2 import PRETOKENIZE_REGEX

    assert FAMILIES["qwen2"].split_pattern == PRETOKENIZE_REGEX
    assert train_tokenizer(BYTES, FAMILIES["qwen2"], TEXTS).tokenize("13 of") == ["1", "3", "Ġof"]


@pytest.mark.parametrize("family", PAIRS)
def test_pairs_follow_the_family(family):
    tokenizer = train_tokenizer(WORDS, FAMILIES[family], TEXTS)
    assert tokenizer.convert_ids_to_tokens(tokenizer("dogs", "walk")["input_ids"]) == PAIRS[family]


@pytest.mark.parametrize("config", [BYTES, WORDS], ids=["byte_bpe", "word"])
def test_the_same_texts_give_the_same_tokenizer(config):
    one, other = (train_tokenizer(config, FAMILIES["bart"], iter(TEXTS)) for _ in range(2))
    assert one.backend_tokenizer.to_str() == other.backend_tokenizer.to_str()


def test_words_split_at_punctuation_and_digits():
    tokenizer = train_tokenizer(WORDS, FAMILIES["bert"], TEXTS)
    assert tokenizer.tokenize("dogs, 13 cats") == ["dogs", ",", "1", "3", "[UNK]"]


def test_numbers_are_written_alike_with_a_space_and_without():
    tokens = LOSSLESS.tokenize("March 13 and 13")
    assert tokens.count("13") == 2
    assert "".join(tokens[: tokens.index("13")]) == "MarchĠ"


def test_vocab_size_is_kept():
    assert len(train_tokenizer(TokenizerConfig(kind="byte_bpe", vocab_size=270), FAMILIES["t5"], TEXTS)) == 270
    assert len(train_tokenizer(TokenizerConfig(kind="word", vocab_size=10), FAMILIES["bert"], TEXTS)) == 10


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=40))
def test_bytes_give_every_text_back(text):
    assert LOSSLESS.decode(LOSSLESS(text)["input_ids"]) == text
