"""A model family of one's own: GPT-2 (Radford et al., 2019).

A family is declared: config keys, dotted paths of modules, names of transformers classes; `trainables.families.base`
says what each is. Whether a declaration is right is found by `trainables.contract.check(GPT2)`, which a sweep does
by itself before it starts.
"""

from trainables.families.base import Blocks, Family, ModelClass
from trainables.plugins import register

GPT2 = register(
    Family(
        name="gpt2",
        model_type="gpt2",
        form="decoder",
        config_class="GPT2Config",
        models={
            "language_model": ModelClass("GPT2LMHeadModel"),
            "sequence_classification": ModelClass("GPT2ForSequenceClassification", ("score.",), ("score.",)),
            "token_classification": ModelClass("GPT2ForTokenClassification", ("classifier.",), ("classifier.",)),
        },
        stacks={"decoder": Blocks("transformer.h", ("n_layer",))},
        width_field="n_embd",
        heads_fields=("n_head",),
        ffn_fields=(),  # four times the width where `n_inner` is null, as it is in every published model
        positions_field="n_positions",
        divisible=(("n_embd", "n_head"),),
        defaults={"n_embd": 768, "n_layer": 12, "n_head": 12, "n_positions": 1024},
        config_fields=frozenset(
            {
                "activation_function",
                "attn_pdrop",
                "embd_pdrop",
                "initializer_range",
                "layer_norm_epsilon",
                "n_embd",
                "n_head",
                "n_layer",
                "n_positions",
                "resid_pdrop",
                "tie_word_embeddings",
                "vocab_size",
            }
        ),
        token_ids={"pad_token_id": "pad_token", "bos_token_id": "eos_token", "eos_token_id": "eos_token"},
        special_tokens={"pad_token": "<|endoftext|>", "eos_token": "<|endoftext|>"},
        template_single=None,
        template_pair=None,
        embeddings=("transformer.wte", "transformer.wpe"),
        linears=("attn.c_attn", "attn.c_proj", "mlp.c_fc", "mlp.c_proj"),
        match_embeddings=True,
    )
)
