"""BERT (Devlin et al., 2019): an encoder."""

from trainables.families.base import Blocks, Family, ModelClass
from trainables.families.layout import ATTENTION, FEED_FORWARD, Layout

LAYOUT = Layout(
    roles=("q", "k", "v", "o", "up", "down"),
    norm_biases=True,
    biases=ATTENTION | FEED_FORWARD,
    segments_field="type_vocab_size",
    norms_embeddings=True,
    ties_head="unless_said",
)

BERT = Family(
    name="bert",
    model_type="bert",
    form="encoder",
    config_class="BertConfig",
    models={
        "sequence_classification": ModelClass(
            "BertForSequenceClassification", ("classifier.",), ("classifier.", "bert.pooler."), hidden_layer=True
        ),
        "token_classification": ModelClass("BertForTokenClassification", ("classifier.",), ("classifier.",)),
    },
    stacks={"encoder": Blocks("bert.encoder.layer", ("num_hidden_layers",))},
    width_field="hidden_size",
    heads_fields=("num_attention_heads",),
    ffn_fields=("intermediate_size",),
    positions_field="max_position_embeddings",
    has_segments=True,
    divisible=(("hidden_size", "num_attention_heads"),),
    defaults={
        "hidden_size": 768,
        "num_hidden_layers": 12,
        "num_attention_heads": 12,
        "intermediate_size": 3072,
        "max_position_embeddings": 512,
        "type_vocab_size": 2,
        "vocab_size": 30522,
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
    token_ids={"pad_token_id": "pad_token"},
    special_tokens={
        "pad_token": "[PAD]",
        "unk_token": "[UNK]",
        "cls_token": "[CLS]",
        "sep_token": "[SEP]",
        "mask_token": "[MASK]",
    },
    template_single="[CLS] $A [SEP]",
    template_pair="[CLS] $A:0 [SEP]:0 $B:1 [SEP]:1",
    embeddings=(
        "bert.embeddings.word_embeddings",
        "bert.embeddings.position_embeddings",
        "bert.embeddings.token_type_embeddings",
    ),
    linears=(
        "attention.self.query",
        "attention.self.key",
        "attention.self.value",
        "attention.output.dense",
        "intermediate.dense",
        "output.dense",
    ),
    layout=LAYOUT,
    match_embeddings=True,
)
