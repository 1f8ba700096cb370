"""DistilBERT (Sanh et al., 2019): BERT's blocks without segments; `pre_classifier` replaces the pooler."""

from dataclasses import replace

from trainables.families.base import Blocks, Family, ModelClass
from trainables.families.bert import BERT, LAYOUT

DISTILBERT = Family(
    name="distilbert",
    model_type="distilbert",
    form="encoder",
    config_class="DistilBertConfig",
    models={
        "sequence_classification": ModelClass(
            "DistilBertForSequenceClassification",
            ("classifier.",),
            ("classifier.", "pre_classifier."),
            hidden_layer=True,
        ),
        "token_classification": ModelClass("DistilBertForTokenClassification", ("classifier.",), ("classifier.",)),
    },
    stacks={"encoder": Blocks("distilbert.transformer.layer", ("n_layers",))},
    width_field="dim",
    heads_fields=("n_heads",),
    ffn_fields=("hidden_dim",),
    positions_field="max_position_embeddings",
    divisible=(("dim", "n_heads"),),
    defaults={
        "dim": 768,
        "n_layers": 6,
        "n_heads": 12,
        "hidden_dim": 3072,
        "max_position_embeddings": 512,
        "vocab_size": 30522,
    },
    config_fields=frozenset(
        {
            "activation",
            "attention_dropout",
            "bos_token_id",
            "dim",
            "dropout",
            "eos_token_id",
            "hidden_dim",
            "initializer_range",
            "max_position_embeddings",
            "n_heads",
            "n_layers",
            "pad_token_id",
            "qa_dropout",
            "seq_classif_dropout",
            "sinusoidal_pos_embds",
            "tie_word_embeddings",
            "vocab_size",
        }
    ),
    token_ids={"pad_token_id": "pad_token"},
    special_tokens=BERT.special_tokens,
    template_single=BERT.template_single,
    template_pair="[CLS] $A [SEP] $B [SEP]",
    embeddings=("distilbert.embeddings.word_embeddings", "distilbert.embeddings.position_embeddings"),
    linears=(
        "attention.q_lin",
        "attention.k_lin",
        "attention.v_lin",
        "attention.out_lin",
        "ffn.lin1",
        "ffn.lin2",
    ),
    layout=replace(LAYOUT, segments_field=None),
    match_embeddings=True,
)
