"""RoBERTa (Liu et al., 2019): BERT's blocks, without segments, and positions that count on from the pad token's id."""

from trainables.families.base import Blocks, Family

ROBERTA = Family(
    name="roberta",
    model_type="roberta",
    form="encoder",
    config_class="RobertaConfig",
    models={"classification": "RobertaForSequenceClassification"},
    stacks={"encoder": Blocks("roberta.encoder.layer", ("num_hidden_layers",))},
    width_field="hidden_size",
    heads_fields=("num_attention_heads",),
    ffn_fields=("intermediate_size",),
    positions_field="max_position_embeddings",
    # The first token's position is one more than the pad token's id: of a table of 514 a text has 512.
    positions_after="pad_token_id",
    divisible=(("hidden_size", "num_attention_heads"),),
    defaults={
        "hidden_size": 768,
        "num_hidden_layers": 12,
        "num_attention_heads": 12,
        "intermediate_size": 3072,
        "max_position_embeddings": 512,
        "pad_token_id": 1,
    },
    config_fields=frozenset(
        {
            "attention_probs_dropout_prob",
            "bos_token_id",
            "classifier_dropout",
            "eos_token_id",
            "hidden_act",
            "hidden_dropout_prob",
            "hidden_size",
            "initializer_range",
            "intermediate_size",
            "layer_norm_eps",
            "max_position_embeddings",
            "num_attention_heads",
            "num_hidden_layers",
            "pad_token_id",
            "tie_word_embeddings",
            "type_vocab_size",
            "vocab_size",
        }
    ),
    # As in the published models: the one row is added to every token.
    scratch_fields={"type_vocab_size": 1},
    token_ids={"bos_token_id": "bos_token", "pad_token_id": "pad_token", "eos_token_id": "eos_token"},
    special_tokens={
        "bos_token": "<s>",
        "pad_token": "<pad>",
        "eos_token": "</s>",
        "unk_token": "<unk>",
        "mask_token": "<mask>",
        "cls_token": "<s>",
        "sep_token": "</s>",
    },
    template_single="<s> $A </s>",
    template_pair="<s> $A </s> </s> $B </s>",
    embeddings=(
        "roberta.embeddings.word_embeddings",
        "roberta.embeddings.position_embeddings",
        "roberta.embeddings.token_type_embeddings",
    ),
    # The head's first layer stands where BERT's pooler does, and is copied as that is.
    classifier=("classifier.out_proj.",),
    may_be_fresh=("classifier.",),
    match_embeddings=True,
)
