"""The model families, by name. A new one is one declaration and one entry here."""

from trainables.families.bart import BART
from trainables.families.base import Family
from trainables.families.bert import BERT
from trainables.families.distilbert import DISTILBERT
from trainables.families.llama import LLAMA
from trainables.families.mistral import MISTRAL
from trainables.families.qwen2 import QWEN2
from trainables.families.qwen3 import QWEN3
from trainables.families.roberta import ROBERTA
from trainables.families.t5 import T5

FAMILIES: dict[str, Family] = {
    family.name: family for family in (BERT, ROBERTA, DISTILBERT, BART, T5, LLAMA, MISTRAL, QWEN2, QWEN3)
}

__all__ = ["FAMILIES", "Family"]
