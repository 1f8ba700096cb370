"""The contract of families: all that are there keep it, and each way to break it is said."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.trainables.families.settings import ALIKE, SETTINGS, Setting
from trainables.contract import check, head_problems
from trainables.errors import InputError
from trainables.families import FAMILIES, Family
from trainables.families.base import Blocks
from trainables.plugins import Plugin, activate

EXAMPLE = Path(__file__).parents[2] / "docs" / "plugins" / "family.py"


@pytest.mark.parametrize("each", [*SETTINGS, *ALIKE], ids=str)
def test_every_family_keeps_the_contract(each: Setting) -> None:
    assert head_problems(each.family, each.head_name, each.config) == []


def test_a_family_of_ones_own_is_checked_at_sizes_that_it_names_itself() -> None:
    activate([Plugin("family.py", EXAMPLE.read_text())])
    own = FAMILIES["gpt2"]
    activate(())
    check(own)
    with pytest.raises(InputError) as caught:
        check(replace(own, embeddings=("transformer.wte", "transformer.wpo")))
    assert [str(problem).partition(";")[0] for problem in caught.value.problems] == [
        "family gpt2.embeddings: got 'transformer.wpo'"
    ] * len(own.models)


@pytest.mark.parametrize("name", ["distilbert", "bart", "t5", "mistral"])
def test_sizes_follow_from_the_declaration(name: str) -> None:
    assert head_problems(FAMILIES[name], next(iter(FAMILIES[name].models))) == []


def with_head(family: Family, **facts: Any) -> Family:
    """The family with other facts about its classifier of texts."""
    classes = family.models["sequence_classification"]
    return replace(family, models={**family.models, "sequence_classification": replace(classes, **facts)})


BERT, QWEN3, T5 = FAMILIES["bert"], FAMILIES["qwen3"], FAMILIES["t5"]


@pytest.mark.parametrize(
    ("family", "said"),
    [
        (replace(BERT, config_class="BertConf"), ".config_class: got 'BertConf', which transformers does not have"),
        (replace(BERT, model_type="bart"), ".model_type: got 'bart'; BertConfig says 'bert'"),
        (
            replace(BERT, config_fields=BERT.config_fields | {"dim"}),
            ".config_fields: got dim, which BertConfig does not have",
        ),
        (
            replace(BERT, defaults={**BERT.defaults, "hidden_size": 700}),
            ".defaults[hidden_size]: got 700; BertConfig has 768",
        ),
        (
            replace(BERT, stacks={"encoder": Blocks("bert.encoder.layers", ("num_hidden_layers",))}),
            ".stacks[encoder].path: got 'bert.encoder.layers'; BertEncoder has no attribute `layers`",
        ),
        (
            replace(BERT, stacks={"encoder": Blocks("bert.encoder", ("num_hidden_layers",))}),
            ".stacks[encoder].path: got 'bert.encoder', a BertEncoder of 1; expected a list of 6 blocks",
        ),
        (
            replace(BERT, width_field="intermediate_size"),
            ".width_field: got 'intermediate_size'; the states are 16 wide",
        ),
        (
            replace(BERT, embeddings=BERT.embeddings[:1] + BERT.embeddings[2:]),
            ".embeddings: leaves bert.embeddings.position_embeddings.weight to be trained",
        ),
        (with_head(BERT, outputs=()), ".outputs: got nothing; expected classifier.bias, classifier.weight"),
        (
            with_head(BERT, fresh=("bert.pooler.",)),
            "its weights lack 2 tensors of its config, classifier.bias for one",
        ),
        (
            replace(QWEN3, form="encoder_decoder"),
            ": State i is the output of block i; all but the last equal ",
        ),
        (
            replace(QWEN3, linears=tuple(name for name in QWEN3.linears if name != "mlp.up_proj")),
            ".linears: lacks model.layers.0.mlp.up_proj",
        ),
        (
            replace(QWEN3, per_block_fields=()),
            ": A student of full depth with the teacher's weights equals the teacher; ",
        ),
        (
            replace(T5, stacks={**T5.stacks, "decoder": T5.stacks["encoder"]}),
            ".stacks[decoder]: state 0 is not transformers' own",
        ),
    ],
)
def test_a_family_that_breaks_the_contract(family: Family, said: str) -> None:
    setting: Any = next(s for s in SETTINGS if s.family.name == family.name)
    [problem] = head_problems(family, setting.head_name, setting.config)
    assert said in str(problem)
    assert str(problem).startswith(f"family {family.name}")
    assert str(problem).endswith(f"({setting.head_name})")
