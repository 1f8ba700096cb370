"""RoBERTa (Liu et al., 2019): BERT's blocks without segments; positions are counted after the pad token's id."""

from trainables.families.bart import BART
from trainables.families.base import Blocks, Family, ModelClass
from trainables.families.bert import BERT

ROBERTA = Family(
    name="roberta",
    model_type="roberta",
    form="encoder",
    config_class="RobertaConfig",
    models={
        # The first layer of this head replaces BERT's pooler, and is copied in the same way.
        "sequence_classification": ModelClass(
            "RobertaForSequenceClassification", ("classifier.out_proj.",), ("classifier.",), hidden_layer=True
        ),
        "token_classification": ModelClass("RobertaForTokenClassification", ("classifier.",), ("classifier.",)),
    },
    stacks={"encoder": Blocks("roberta.encoder.layer", ("num_hidden_layers",))},
    width_field="hidden_size",
    heads_fields=("num_attention_heads",),
    ffn_fields=("intermediate_size",),
    positions_field="max_position_embeddings",
    # The first token's position is one more than the pad token's id, so that a table of 514 rows serves 512 tokens.
    positions_after="pad_token_id",
    divisible=(("hidden_size", "num_attention_heads"),),
    defaults={**BERT.defaults, "pad_token_id": 1, "vocab_size": 50265},
    config_fields=BERT.config_fields,
    # As in the published models, whose one row is added to every token.
    scratch_fields={"type_vocab_size": 1},
    token_ids={"bos_token_id": "bos_token", "pad_token_id": "pad_token", "eos_token_id": "eos_token"},
    # The tokenizer is BART's, with two more names for the first and the last token.
    special_tokens={**BART.special_tokens, "cls_token": "<s>", "sep_token": "</s>"},
    template_single=BART.template_single,
    template_pair=BART.template_pair,
    embeddings=(
        "roberta.embeddings.word_embeddings",
        "roberta.embeddings.position_embeddings",
        "roberta.embeddings.token_type_embeddings",
    ),
    linears=BERT.linears,
    layout=BERT.layout,
    match_embeddings=True,
)
