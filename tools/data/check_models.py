#!/usr/bin/env python3
"""Counts the parameters and the KV cache of every model in data/models.jsonl a second time.

The formulas are written from the architectures' definitions, without the C++ reader, so that the
two can be compared. Standard library only.

  tools/data/check_models.py                    print id, computed, published, difference; exit 1 on a problem
  tools/data/check_models.py --write-expected   write tests/model/expected_{parameters,kv}.csv
  tools/data/check_models.py --configs DIR      the same count for every *.json of a folder
  tools/data/check_models.py --show ID          the parts of one model
"""

import argparse
import csv
import datetime
import glob
import json
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
MODELS = os.path.join(ROOT, "data", "models.jsonl")
TOLERANCE_PERCENT = 0.5

# Published totals that round harder than half a percent, or count something else than the config
# does: id -> (tolerance in percent, reason). Everything else must agree within TOLERANCE_PERCENT.
EXCEPTIONS = {
    "gpt3-350m": (3.0, "the paper rounds to two digits"),
    "gpt3-1.3b": (4.0, "the paper rounds to two digits"),
    "gpt3-2.7b": (2.0, "the paper rounds to two digits"),
    "gpt3-6.7b": (1.0, "the paper rounds to two digits"),
    "glm-4.5": (0.7, "355 B lies between 352.8 B without and 358.3 B with the multi-token-prediction layer"),
    "glm-4.6": (0.7, "355 B lies between 352.8 B without and 358.3 B with the multi-token-prediction layer"),
    "glm-4.7": (0.7, "355 B lies between 352.8 B without and 358.3 B with the multi-token-prediction layer"),
    "gemma-4-e4b": (0.8, "the checkpoint stores k and v projections of the layers that share an earlier layer's, which no "
                    "engine loads: 0.7 % more or less"),
    "grok-1": (0.6, "published as 314 B, the released shapes add up to 315.7 B"),
}


class Unknown(Exception):
    """The architecture is not one this script has a formula for."""


def first(config, *names, default=None):
    """Value of the first field that is there and not null."""
    for name in names:
        if config.get(name) is not None:
            return config[name]
    return default


def text_of(config):
    """The language part of a config, with the fields of the root it inherits."""
    for key in ("text_config", "llm_config", "language_config"):
        if isinstance(config.get(key), dict):
            inner = dict(config[key])
            if "tie_word_embeddings" not in inner and "tie_word_embeddings" in config:
                inner["tie_word_embeddings"] = config["tie_word_embeddings"]
            inner.setdefault("architectures", config.get("architectures"))
            return inner
    if "thinker_config" in config:
        return text_of(config["thinker_config"])
    return config


# ---------------------------------------------------------------------------------------------
# Pieces


def linear(inputs, outputs, bias=False):
    return inputs * outputs + (outputs if bias else 0)


def gqa(h, a, k, d, qkv_bias=False, o_bias=False, gate=False, dv=None):
    """Grouped-query attention: q (twice as wide with an output gate), k, v, o."""
    dv = dv or d
    q_width = a * d * (2 if gate else 1)
    return (linear(h, q_width, qkv_bias) + linear(h, k * d, qkv_bias) + linear(h, k * dv, qkv_bias) +
            linear(a * dv, h, o_bias))


def mlp(h, f, gated=True, bias=False):
    up = 2 * f if gated else f
    return linear(h, up, bias) + linear(f, h, bias)


def mla(c):
    """Multi-head latent attention of DeepSeek V2, with the norms of its two latents."""
    h, a = c["hidden_size"], c["num_attention_heads"]
    rq, rkv = c.get("q_lora_rank"), c["kv_lora_rank"]
    dn, dr, dv = c["qk_nope_head_dim"], c["qk_rope_head_dim"], c["v_head_dim"]
    q = linear(h, rq) + rq + linear(rq, a * (dn + dr)) if rq else linear(h, a * (dn + dr))
    kv = linear(h, rkv + dr) + rkv + linear(rkv, a * (dn + dv))
    return q + kv + linear(a * dv, h)


def indexer(c):
    """Lightning indexer of sparse MLA (DeepSeek V3.2, GLM-5): q from the q latent, k, its LayerNorm, head weights."""
    heads, dim = c["index_n_heads"], c["index_head_dim"]
    return (linear(c["q_lora_rank"], heads * dim) + linear(c["hidden_size"], dim) + 2 * dim +
            linear(c["hidden_size"], heads))


def gated_delta(c):
    """Gated DeltaNet: q, k, v, z, beta and alpha projections, a convolution without bias, decay, gated norm, output."""
    h = c["hidden_size"]
    hk, dk = c["linear_num_key_heads"], c["linear_key_head_dim"]
    hv, dv = c["linear_num_value_heads"], c["linear_value_head_dim"]
    channels = 2 * hk * dk + hv * dv
    return (linear(h, channels + hv * dv) + linear(h, 2 * hv) + channels * c["linear_conv_kernel_dim"] + 2 * hv + dv +
            linear(hv * dv, h))


def mamba2(h, inner, heads, groups, state, conv, conv_bias=True, bias=False, gated_norm=True):
    """Mamba-2 mixer: in, depthwise convolution, A, D, dt, gated norm, out."""
    channels = inner + 2 * groups * state
    return (linear(h, inner + channels + heads, bias) + channels * conv + (channels if conv_bias else 0) + 3 * heads +
            (inner if gated_norm else 0) + linear(inner, h, bias))


def mamba1(h, inner, state, conv, rank, conv_bias=True, bias=False, inner_norms=False):
    """Mamba-1 mixer: in, convolution, x, dt (with bias), A, D, out; Jamba adds norms on dt, B and C."""
    return (linear(h, 2 * inner, bias) + inner * conv + (inner if conv_bias else 0) + linear(inner, rank + 2 * state) +
            linear(rank, inner, True) + inner * state + inner + linear(inner, h, bias) +
            (rank + 2 * state if inner_norms else 0))


def embeddings(c, tied, head_bias=False):
    h, v = c["hidden_size"], c["vocab_size"]
    return v * h * (1 if tied else 2) + (v if head_bias else 0)


def head_shape(c):
    a = c["num_attention_heads"]
    k = first(c, "num_key_value_heads", default=a)
    d = first(c, "head_dim", "attention_head_dim", default=c["hidden_size"] // a)
    return a, k, d


def routed(h, experts, f, gated=True):
    return experts * mlp(h, f, gated)


def count(layers, layer):
    return sum(layer(i) for i in range(layers))


# ---------------------------------------------------------------------------------------------
# Decoders


def plain_decoder(c, qkv_bias=False, o_bias=False, mlp_bias=False, norms=2, norm_bias=False, qk_norm=0, gated=True,
                  head_bias=False, final_norm=True):
    """Dense decoder of the Llama shape with switches for what its relatives add."""
    h, layers = c["hidden_size"], c["num_hidden_layers"]
    a, k, d = head_shape(c)
    norm = 2 * h if norm_bias else h
    layer = gqa(h, a, k, d, qkv_bias, o_bias) + mlp(h, c["intermediate_size"], gated, mlp_bias) + norms * norm + qk_norm
    total = layers * layer + embeddings(c, c.get("tie_word_embeddings", False), head_bias)
    return total + (norm if final_norm else 0)


def llama_family(c):
    bias = c.get("attention_bias", False)
    return plain_decoder(c, qkv_bias=bias, o_bias=bias, mlp_bias=c.get("mlp_bias", False))


def mixtral(c, norm_bias=False, qkv_bias=False, o_bias=False, head_bias=False):
    h, layers = c["hidden_size"], c["num_hidden_layers"]
    a, k, d = head_shape(c)
    e = first(c, "num_local_experts", "num_experts")
    norm = 2 * h if norm_bias else h
    layer = gqa(h, a, k, d, qkv_bias, o_bias) + linear(h, e) + routed(h, e, c["intermediate_size"]) + 2 * norm
    return layers * layer + embeddings(c, c.get("tie_word_embeddings", False), head_bias) + norm


def qwen2_moe(c):
    h, layers = c["hidden_size"], c["num_hidden_layers"]
    a, k, d = head_shape(c)
    fs = c["shared_expert_intermediate_size"]
    layer = (gqa(h, a, k, d, True, False) + linear(h, c["num_experts"]) +
             routed(h, c["num_experts"], c["moe_intermediate_size"]) + mlp(h, fs) + h + 2 * h)
    return layers * layer + embeddings(c, c.get("tie_word_embeddings", False)) + h


def qwen3(c):
    return plain_decoder(c, qk_norm=2 * head_shape(c)[2])


def qwen3_moe(c):
    h, layers = c["hidden_size"], c["num_hidden_layers"]
    a, k, d = head_shape(c)
    dense_layers = set(c.get("mlp_only_layers") or [])
    step = c.get("decoder_sparse_step", 1)

    def layer(i):
        sparse = i not in dense_layers and (i + 1) % step == 0
        channel = (linear(h, c["num_experts"]) + routed(h, c["num_experts"], c["moe_intermediate_size"])
                   if sparse else mlp(h, c["intermediate_size"]))
        return gqa(h, a, k, d) + 2 * d + channel + 2 * h

    return count(layers, layer) + embeddings(c, c.get("tie_word_embeddings", False)) + h


def qwen3_hybrid(c):
    """Qwen3-Next and Qwen3.5/3.6: gated attention every fourth layer, Gated DeltaNet else; dense or MoE channel."""
    h, layers = c["hidden_size"], c["num_hidden_layers"]
    a, k, d = head_shape(c)
    every = c.get("full_attention_interval", 4)
    if c.get("num_experts"):
        e = c["num_experts"]
        channel = (linear(h, e) + routed(h, e, c["moe_intermediate_size"]) +
                   mlp(h, c["shared_expert_intermediate_size"]) + h)
    else:
        channel = mlp(h, c["intermediate_size"])
    full = gqa(h, a, k, d, gate=True) + 2 * d
    linear_mixer = gated_delta(c)
    return (count(layers, lambda i: (full if (i + 1) % every == 0 else linear_mixer) + channel + 2 * h) +
            embeddings(c, c.get("tie_word_embeddings", False)) + h)


def gemma3n(c):
    """Gemma 3n text part: per-layer embeddings, alternating updates (AltUp), learned residual (Laurel)."""
    h, layers = c["hidden_size"], c["num_hidden_layers"]
    a, k, d = head_shape(c)
    widths = c["intermediate_size"] if isinstance(c["intermediate_size"], list) else [c["intermediate_size"]] * layers
    p, streams, rank = c["hidden_size_per_layer_input"], c["altup_num_inputs"], c["laurel_rank"]
    # Layers that share an earlier layer's KV still carry their k and v projections in the checkpoint.
    attention = gqa(h, a, k, d) + 2 * d
    altup = h + streams * streams ** 2 + streams * streams + linear(h, streams) + h
    laurel = 2 * linear(h, rank) + h
    per_layer = 2 * linear(h, p) + h
    total = sum(attention + mlp(h, width) + altup + laurel + per_layer + 4 * h for width in widths)
    total += c["vocab_size"] * h + c["vocab_size_per_layer_input"] * p * layers
    return total + linear(h, layers * p) + p + 2 * (streams - 1) * linear(h, h) + h


def gpt_oss(c):
    """Biases everywhere in attention, one learned sink per head, router with bias, experts with biases."""
    h, layers = c["hidden_size"], c["num_hidden_layers"]
    a, k, d = head_shape(c)
    e, f = c["num_local_experts"], c["intermediate_size"]
    layer = gqa(h, a, k, d, True, True) + a + linear(h, e, True) + e * mlp(h, f, True, True) + 2 * h
    return layers * layer + embeddings(c, c.get("tie_word_embeddings", False)) + h


def deepseek(c):
    h, layers = c["hidden_size"], c["num_hidden_layers"]
    e, fe = c["n_routed_experts"], c["moe_intermediate_size"]
    shared = first(c, "n_shared_experts", default=0) * fe
    router_bias = e if c.get("topk_method", "noaux_tc") == "noaux_tc" and c["model_type"] != "deepseek_v2" else 0
    sparse_layers = c.get("indexer_types")

    def layer(i):
        if i < c["first_k_dense_replace"]:
            channel = mlp(h, c["intermediate_size"])
        else:
            channel = linear(h, e) + router_bias + routed(h, e, fe) + (mlp(h, shared) if shared else 0)
        index = 0
        if "index_n_heads" in c and (sparse_layers is None or sparse_layers[i] == "full"):
            index = indexer(c)
        return mla(c) + index + channel + 2 * h

    return count(layers, layer) + embeddings(c, c.get("tie_word_embeddings", False)) + h


def gpt2(c):
    h, layers = c["n_embd"], c["n_layer"]
    inner = c.get("n_inner") or 4 * h
    width = c["n_head"] * first(c, "head_dim", default=h // c["n_head"])
    kv = h // c["n_head"] if c.get("multi_query") else width
    layer = linear(h, width + 2 * kv, True) + linear(width, h, True) + mlp(h, inner, False, True) + 4 * h
    return layers * layer + c["vocab_size"] * h + c["n_positions"] * h + 2 * h


def gptj(c):
    h, layers = c["n_embd"], c["n_layer"]
    inner = c.get("n_inner") or 4 * h
    layer = 4 * linear(h, h) + mlp(h, inner, False, True) + 2 * h
    return layers * layer + 2 * c["vocab_size"] * h + c["vocab_size"] + 2 * h


def gpt_neox(c):
    h, layers = c["hidden_size"], c["num_hidden_layers"]
    layer = 4 * linear(h, h, True) + mlp(h, c["intermediate_size"], False, True) + 4 * h
    return layers * layer + embeddings(c, c.get("tie_word_embeddings", False)) + 2 * h


def opt(c):
    h, layers, proj = c["hidden_size"], c["num_hidden_layers"], c["word_embed_proj_dim"]
    layer = 4 * linear(h, h, True) + mlp(h, c["ffn_dim"], False, True) + 4 * h
    total = layers * layer + c["vocab_size"] * proj + (c["max_position_embeddings"] + 2) * h
    if proj != h:
        total += 2 * proj * h
    return total + (2 * h if c.get("do_layer_norm_before", True) else 0)


def bloom(c):
    h, layers = first(c, "hidden_size", "n_embed"), c["n_layer"]
    layer = 4 * linear(h, h, True) + mlp(h, 4 * h, False, True) + 4 * h
    return layers * layer + c["vocab_size"] * h + 2 * h + 2 * h


def falcon(c):
    h, layers = c["hidden_size"], c["num_hidden_layers"]
    a = c["num_attention_heads"]
    d = h // a
    if c.get("new_decoder_architecture"):
        k, norms = first(c, "num_kv_heads", default=a), 2
    else:
        k, norms = (1 if c.get("multi_query") else a), (1 if c.get("parallel_attn") else 2)
    bias = c.get("bias", False)
    layer = gqa(h, a, k, d, bias, bias) + mlp(h, 4 * h, False, bias) + norms * 2 * h
    return layers * layer + c["vocab_size"] * h + 2 * h


def mpt(c):
    h, layers = c["d_model"], c["n_layers"]
    layer = 4 * linear(h, h) + mlp(h, c["expansion_ratio"] * h, False) + 2 * h
    return layers * layer + c["vocab_size"] * h + h


def phi(c):
    """Phi 1, 1.5, 2: one LayerNorm, biases everywhere, untied head with bias."""
    h, layers = c["hidden_size"], c["num_hidden_layers"]
    layer = 4 * linear(h, h, True) + mlp(h, c["intermediate_size"], False, True) + 2 * h
    return layers * layer + embeddings(c, False, True) + 2 * h


def command(c):
    """Cohere: one bias-free LayerNorm per parallel block, tied head, per-head q/k norms where asked."""
    a, k, d = head_shape(c)
    return plain_decoder(c, norms=1, qk_norm=(a + k) * d if c.get("use_qk_norm") else 0)


def stablelm(c):
    h = c["hidden_size"]
    norms = 1 if c.get("use_parallel_residual") else 2
    a, k, d = head_shape(c)
    qk = (a + k) * d if c.get("qk_layernorm") else 0
    return plain_decoder(c, qkv_bias=c.get("use_qkv_bias", False), norms=norms, norm_bias=True, qk_norm=qk)


def starcoder2(c):
    return plain_decoder(c, True, True, True, norm_bias=True, gated=False)


def dbrx(c):
    h, layers, a = c["d_model"], c["n_layers"], c["n_heads"]
    k, e, f = c["attn_config"]["kv_n_heads"], c["ffn_config"]["moe_num_experts"], c["ffn_config"]["ffn_hidden_size"]
    layer = gqa(h, a, k, h // a) + linear(h, e) + routed(h, e, f) + 2 * h
    return layers * layer + 2 * c["vocab_size"] * h + h


def grok1(c):
    h, layers = c["hidden_size"], c["num_hidden_layers"]
    a, k, d = head_shape(c)
    layer = gqa(h, a, k, d) + linear(h, c["num_experts"]) + routed(h, c["num_experts"], c["intermediate_size"]) + 4 * h
    return layers * layer + embeddings(c, c.get("tie_word_embeddings", True)) + h


def glm4_moe(c):
    h, layers = c["hidden_size"], c["num_hidden_layers"]
    a, k, d = head_shape(c)
    e, fe = c["n_routed_experts"], c["moe_intermediate_size"]
    qk = 2 * d if c.get("use_qk_norm") else 0

    def layer(i):
        channel = (mlp(h, c["intermediate_size"]) if i < c["first_k_dense_replace"] else
                   linear(h, e) + e + routed(h, e, fe) + mlp(h, c["n_shared_experts"] * fe))
        return gqa(h, a, k, d, c.get("attention_bias", False)) + qk + channel + 2 * h

    return count(layers, layer) + embeddings(c, c.get("tie_word_embeddings", False)) + h


def chatglm(c):
    h, layers, d = c["hidden_size"], c["num_layers"], c["kv_channels"]
    a, k = c["num_attention_heads"], c["multi_query_group_num"]
    layer = gqa(h, a, k, d, c.get("add_qkv_bias", False)) + mlp(h, c["ffn_hidden_size"]) + 2 * h
    return layers * layer + 2 * c["padded_vocab_size"] * h + h


def minimax_m2(c):
    """q and k are normalised over all heads together (per_layer)."""
    h, layers = c["hidden_size"], c["num_hidden_layers"]
    a, k, d = head_shape(c)
    e = c["num_local_experts"]
    layer = gqa(h, a, k, d) + (a + k) * d + linear(h, e) + e + routed(h, e, c["intermediate_size"]) + 2 * h
    return layers * layer + embeddings(c, c.get("tie_word_embeddings", False)) + h


def minimax_text(c):
    """Lightning attention in seven of eight layers: fused qkv, output gate, norm over all heads."""
    h, layers = c["hidden_size"], c["num_hidden_layers"]
    a, k, d = head_shape(c)
    e = c["num_local_experts"]
    width = a * d
    lightning = linear(h, 3 * width) + linear(h, width) + width + linear(width, h)
    moe = linear(h, e) + routed(h, e, c["intermediate_size"])
    kinds = c["attn_type_list"]
    return (count(layers, lambda i: (gqa(h, a, k, d) if kinds[i] == 1 else lightning) + moe + 2 * h) +
            embeddings(c, c.get("tie_word_embeddings", False)) + h)


def llama4(c):
    h, layers = c["hidden_size"], c["num_hidden_layers"]
    a, k, d = head_shape(c)
    e, f, step = c["num_local_experts"], c["intermediate_size"], c["interleave_moe_layer_step"]

    def layer(i):
        sparse = (i + 1) % step == 0
        channel = linear(h, e) + routed(h, e, f) + mlp(h, f) if sparse else mlp(h, c["intermediate_size_mlp"])
        return gqa(h, a, k, d) + channel + 2 * h

    return count(layers, layer) + embeddings(c, c.get("tie_word_embeddings", False)) + h


def jamba(c):
    h, layers = c["hidden_size"], c["num_hidden_layers"]
    a, k, d = head_shape(c)
    e, f = c["num_experts"], c["intermediate_size"]
    mamba = mamba1(h, c["mamba_expand"] * h, c["mamba_d_state"], c["mamba_d_conv"], c["mamba_dt_rank"],
                   c.get("mamba_conv_bias", True), c.get("mamba_proj_bias", False), True)

    def layer(i):
        mixer = gqa(h, a, k, d) if i % c["attn_layer_period"] == c["attn_layer_offset"] else mamba
        sparse = e > 1 and i % c["expert_layer_period"] == c["expert_layer_offset"]
        return mixer + (linear(h, e) + routed(h, e, f) if sparse else mlp(h, f)) + 2 * h

    return count(layers, layer) + embeddings(c, c.get("tie_word_embeddings", False)) + h


def nemotron_h(c):
    """One mixer or one channel per layer, one norm each; squared ReLU, so no gate in MLP and experts."""
    h = c["hidden_size"]
    a, k = c["num_attention_heads"], c["num_key_value_heads"]
    d = first(c, "head_dim", "attention_head_dim")
    pattern = c.get("hybrid_override_pattern")
    if pattern is None:
        letters = {"mamba": "M", "attention": "*", "mlp": "-", "moe": "E"}
        pattern = "".join(letters[kind] for kind in c["layers_block_type"])
    heads = c["mamba_num_heads"]
    inner = heads * c["mamba_head_dim"]
    kinds = {
        "M": mamba2(h, inner, heads, c["n_groups"], c["ssm_state_size"], c["conv_kernel"], c.get("use_conv_bias", True)),
        "*": gqa(h, a, k, d),
        "-": mlp(h, c["intermediate_size"], False),
    }
    if "E" in pattern:
        e, latent = c["n_routed_experts"], c.get("moe_latent_size")
        inside = latent or h
        kinds["E"] = (linear(h, e) + e + routed(inside, e, c["moe_intermediate_size"], False) +
                      mlp(h, c["moe_shared_expert_intermediate_size"], False) + (2 * h * latent if latent else 0))
    return sum(kinds[letter] + h for letter in pattern) + embeddings(c, c.get("tie_word_embeddings", False)) + h


def nemotron_nas(c):
    """Llama with one attention/FFN shape per layer, either of which can be missing."""
    h, a = c["hidden_size"], c["num_attention_heads"]
    d = h // a
    total = embeddings(c, c.get("tie_word_embeddings", False)) + h
    for block in c["block_configs"]:
        attention, ffn = block["attention"], block["ffn"]
        if attention.get("replace_with_linear"):
            total += linear(h, h) + h
        elif not attention.get("no_op"):
            total += gqa(h, a, a // attention["n_heads_in_group"], d) + h
        if ffn.get("replace_with_linear"):
            total += linear(h, h) + h
        elif not ffn.get("no_op"):
            total += mlp(h, nas_width(ffn["ffn_mult"], h)) + h
    return total


def nas_width(multiplier, hidden):
    """ffn_mult to a width: two thirds of mult·h·... rounded up to a multiple of 256."""
    width = int(2 * multiplier * hidden / 3)
    return (width + 255) // 256 * 256


def mamba_lm(c):
    h, layers = c["hidden_size"], c["num_hidden_layers"]
    inner = first(c, "intermediate_size", default=c.get("expand", 2) * h)
    layer = mamba1(h, inner, c["state_size"], c["conv_kernel"], c["time_step_rank"], c.get("use_conv_bias", True)) + h
    return layers * layer + embeddings(c, c.get("tie_word_embeddings", True)) + h


def mamba2_lm(c):
    h, layers = c["hidden_size"], c["num_hidden_layers"]
    heads = c["num_heads"]
    layer = mamba2(h, heads * c["head_dim"], heads, c["n_groups"], c["state_size"], c["conv_kernel"]) + h
    return layers * layer + embeddings(c, c.get("tie_word_embeddings", True)) + h


def olmoe(c):
    h, layers = c["hidden_size"], c["num_hidden_layers"]
    a, k, d = head_shape(c)
    e = c["num_experts"]
    layer = gqa(h, a, k, d) + (a + k) * d + linear(h, e) + routed(h, e, c["intermediate_size"]) + 2 * h
    return layers * layer + embeddings(c, c.get("tie_word_embeddings", False)) + h


def olmo2(c):
    a, k, d = head_shape(c)
    return plain_decoder(c, qk_norm=(a + k) * d)


def olmo(c):
    """OLMo 1: LayerNorm without weights."""
    h, layers = c["hidden_size"], c["num_hidden_layers"]
    a, k, d = head_shape(c)
    return layers * (gqa(h, a, k, d) + mlp(h, c["intermediate_size"])) + embeddings(c, c["tie_word_embeddings"])


def ernie_moe(c):
    h, layers = c["hidden_size"], c["num_hidden_layers"]
    a, k, d = head_shape(c)
    e, fe = c["moe_num_experts"], c["moe_intermediate_size"]
    shared = c.get("moe_num_shared_experts", 0) * fe

    def layer(i):
        sparse = i >= c["moe_layer_start_index"]
        channel = (linear(h, e) + e + routed(h, e, fe) + (mlp(h, shared) if shared else 0)
                   if sparse else mlp(h, c["intermediate_size"]))
        return gqa(h, a, k, d) + channel + 2 * h

    return count(layers, layer) + embeddings(c, c.get("tie_word_embeddings", False)) + h


def mimo_v2(c):
    """Two attention shapes, v narrower than q and k, a sink per head of the window layers."""
    h, layers = c["hidden_size"], c["num_hidden_layers"]
    e, fe = c["n_routed_experts"], c["moe_intermediate_size"]
    full = gqa(h, c["num_attention_heads"], c["num_key_value_heads"], c["head_dim"], dv=c["v_head_dim"])
    window = gqa(h, c["swa_num_attention_heads"], c["swa_num_key_value_heads"], c["swa_head_dim"],
                 dv=c["swa_v_head_dim"]) + (c["swa_num_attention_heads"] if c["add_swa_attention_sink_bias"] else 0)

    def layer(i):
        channel = linear(h, e) + e + routed(h, e, fe) if c["moe_layer_freq"][i] else mlp(h, c["intermediate_size"])
        return (window if c["hybrid_layer_pattern"][i] else full) + channel + 2 * h

    return count(layers, layer) + embeddings(c, c.get("tie_word_embeddings", False)) + h


def gemma4(c):
    """Global layers have their own head width and KV heads and, where attention_k_eq_v, no v projection."""
    h, layers = c["hidden_size"], c["num_hidden_layers"]
    a, k, d = head_shape(c)
    global_d = c.get("global_head_dim") or d
    global_k = c.get("num_global_key_value_heads") or k
    e, p = c.get("num_experts") or 0, c.get("hidden_size_per_layer_input") or 0
    shared_from = layers - (c.get("num_kv_shared_layers") or 0)

    def layer(i):
        if c["layer_types"][i] == "full_attention":
            width, heads, kv = global_d, global_k, 1 if c.get("attention_k_eq_v") else 2
        else:
            width, heads, kv = d, k, 2
        # Layers that share an earlier layer's KV still carry their projections in the checkpoint.
        total = 2 * linear(h, a * width) + kv * linear(h, heads * width) + 2 * width
        double = c.get("use_double_wide_mlp") and i >= shared_from
        total += mlp(h, c["intermediate_size"] * (2 if double else 1)) + 4 * h + 1
        if c.get("enable_moe_block"):
            # Experts beside the dense MLP, three more norms, router with a scale per channel and per expert.
            total += routed(h, e, c["moe_intermediate_size"]) + linear(h, e) + h + e + 3 * h
        if p:
            total += 2 * linear(h, p) + h
        return total

    total = count(layers, layer) + c["vocab_size"] * h + h
    if p:
        total += c["vocab_size_per_layer_input"] * p * layers + linear(h, layers * p) + p
    return total


def phi3_small(c):
    """Biases in every projection, gated GELU, LayerNorm with bias, tied head."""
    h, layers = c["hidden_size"], c["num_hidden_layers"]
    a, k, d = head_shape(c)
    layer = gqa(h, a, k, d, True, True) + mlp(h, c["ff_intermediate_size"], True, True) + 4 * h
    return layers * layer + c["vocab_size"] * h + 2 * h


def mllama(c):
    """Llama 3.2 Vision: gated cross-attention layers with q/k norms among the Llama layers, eight extra embeddings."""
    h, layers = c["hidden_size"], c["num_hidden_layers"]
    a, k, d = head_shape(c)
    cross = len(c["cross_attention_layers"])
    layer = gqa(h, a, k, d) + mlp(h, c["intermediate_size"]) + 2 * h
    return layers * layer + cross * (2 * d + 2) + (c["vocab_size"] + 8) * h + c["vocab_size"] * h + h


# ---------------------------------------------------------------------------------------------
# Encoders and encoder-decoders


def bert(c):
    h, layers, v = c["hidden_size"], c["num_hidden_layers"], c["vocab_size"]
    layer = 4 * linear(h, h, True) + mlp(h, c["intermediate_size"], False, True) + 4 * h
    total = layers * layer + (v + c["max_position_embeddings"] + c["type_vocab_size"]) * h + 2 * h
    arch = c["architectures"][0]
    transform = linear(h, h, True) + 2 * h + v
    if arch == "BertForMaskedLM":
        total += linear(h, h, True) + transform + linear(h, 2, True)
    elif arch.endswith("ForMaskedLM"):
        total += transform
    elif arch.endswith("ForSequenceClassification"):
        total += linear(h, h, True) + linear(h, c.get("num_labels", 2), True)
    else:
        total += linear(h, h, True)
    return total


def t5(c):
    h, inner = c["d_model"], c["num_heads"] * c["d_kv"]
    attention = 4 * h * inner
    channel = mlp(h, c["d_ff"], c["feed_forward_proj"].startswith("gated"))
    relative = c["relative_attention_num_buckets"] * c["num_heads"]
    encoder = c["num_layers"] * (attention + channel + 2 * h) + relative + h
    decoder = c["num_decoder_layers"] * (2 * attention + channel + 3 * h) + relative + h
    return encoder + decoder + c["vocab_size"] * h * (1 if c.get("tie_word_embeddings", True) else 2)


def whisper(c):
    h = c["d_model"]
    attention = 4 * h * h + 3 * h
    encoder_layer = attention + mlp(h, c["encoder_ffn_dim"], False, True) + 4 * h
    decoder_layer = 2 * attention + mlp(h, c["decoder_ffn_dim"], False, True) + 6 * h
    stem = 3 * c["num_mel_bins"] * h + h + 3 * h * h + h
    positions = (c["max_source_positions"] + c["max_target_positions"]) * h
    return (c["encoder_layers"] * encoder_layer + c["decoder_layers"] * decoder_layer + stem + positions + 4 * h +
            c["vocab_size"] * h)


def clip(c):
    text, vision, proj = c["text_config"], c["vision_config"], c["projection_dim"]

    def blocks(part):
        h = part["hidden_size"]
        return part["num_hidden_layers"] * (4 * linear(h, h, True) + mlp(h, part["intermediate_size"], False, True) +
                                            4 * h)

    th, vh = text["hidden_size"], vision["hidden_size"]
    patches = (vision["image_size"] // vision["patch_size"]) ** 2
    total = blocks(text) + (text["vocab_size"] + text["max_position_embeddings"]) * th + 2 * th
    total += blocks(vision) + vh + 3 * vision["patch_size"] ** 2 * vh + (patches + 1) * vh + 4 * vh
    return total + (th + vh) * proj + 1


# ---------------------------------------------------------------------------------------------
# Vision towers of the multimodal decoders


def siglip_gemma3(c):
    v, h = c["vision_config"], text_of(c)["hidden_size"]
    w, f = v["hidden_size"], v["intermediate_size"]
    patches = (v["image_size"] // v["patch_size"]) ** 2
    layer = 4 * linear(w, w, True) + mlp(w, f, False, True) + 4 * w
    return (v["num_hidden_layers"] * layer + 3 * v["patch_size"] ** 2 * w + w + patches * w + 2 * w + w * h + w)


def qwen2_vl_tower(c):
    v = c["vision_config"]
    w = v["embed_dim"]
    out = v["hidden_size"]
    f = int(w * v["mlp_ratio"])
    layer = linear(w, 3 * w, True) + linear(w, w, True) + mlp(w, f, False, True) + 4 * w
    merged = w * v["spatial_merge_size"] ** 2
    patch = 3 * v["temporal_patch_size"] * v["patch_size"] ** 2 * w
    return v["depth"] * layer + patch + 2 * w + linear(merged, merged, True) + linear(merged, out, True)


def qwen25_vl_tower(c):
    v = c["vision_config"]
    w = v["hidden_size"]
    layer = linear(w, 3 * w, True) + linear(w, w, True) + mlp(w, v["intermediate_size"], True, True) + 2 * w
    merged = w * v["spatial_merge_size"] ** 2
    patch = 3 * v["temporal_patch_size"] * v["patch_size"] ** 2 * w
    return v["depth"] * layer + patch + w + linear(merged, merged, True) + linear(merged, v["out_hidden_size"], True)


def qwen3_vl_tower(c):
    """Qwen3-VL and Qwen3.5: learned positions, one merger plus one per deepstack layer."""
    v = c["vision_config"]
    w = v["hidden_size"]
    layer = linear(w, 3 * w, True) + linear(w, w, True) + mlp(w, v["intermediate_size"], False, True) + 4 * w
    merged = w * v["spatial_merge_size"] ** 2
    merger = linear(merged, merged, True) + linear(merged, v["out_hidden_size"], True)
    patch = linear(3 * v["temporal_patch_size"] * v["patch_size"] ** 2, w, True)
    deep = len(v.get("deepstack_visual_indexes") or [])
    return (v["depth"] * layer + patch + v["num_position_embeddings"] * w + merger + 2 * w +
            deep * (merger + 2 * merged))


def llama4_tower(c):
    v, h = c["vision_config"], text_of(c)["hidden_size"]
    w, f = v["hidden_size"], v["intermediate_size"]
    patches = (v["image_size"] // v["patch_size"]) ** 2
    layer = 4 * linear(w, w, True) + mlp(w, f, False, True) + 4 * w
    total = v["num_hidden_layers"] * layer + 3 * v["patch_size"] ** 2 * w + w + (patches + 1) * w + 4 * w
    shuffled = int(w / v["pixel_shuffle_ratio"] ** 2)
    total += shuffled * v["projector_input_dim"] + v["projector_input_dim"] * v["projector_output_dim"]
    return total + v["vision_output_dim"] * h


def kimi_tower(c):
    """MoonViT: packed qkv with bias, plain MLP, learned position grid; patch-merger projector."""
    v = c["vision_config"]
    w, f = v["vt_hidden_size"], v["vt_intermediate_size"]
    layer = linear(w, 3 * w, True) + linear(w, w, True) + mlp(w, f, False, True) + 4 * w
    grid = v["init_pos_emb_height"] * v["init_pos_emb_width"] * w
    merged = v["mm_hidden_size"] * v["merge_kernel_size"][0] * v["merge_kernel_size"][1]
    projector = 2 * w + linear(merged, merged, True) + linear(merged, v["text_hidden_size"], True)
    return v["vt_num_hidden_layers"] * layer + linear(3 * v["patch_size"] ** 2, w, True) + grid + 2 * w + projector


def pixtral_tower(c):
    """Pixtral with the patch merger of Mistral Small 3.1; no biases."""
    v, h = c["vision_config"], text_of(c)["hidden_size"]
    w = v["hidden_size"]
    layer = 4 * w * w + mlp(w, v["intermediate_size"]) + 2 * w
    merge = c["spatial_merge_size"] ** 2
    return (v["num_hidden_layers"] * layer + 3 * v["patch_size"] ** 2 * w + w + w + merge * w * w + w * h + h * h)


def gemma4_tower(c):
    """Gemma 4 ViT: gated MLP, four norms, q/k norms, two position tables; a bias-free projector."""
    v, h = c["vision_config"], text_of(c)["hidden_size"]
    w = v["hidden_size"]
    layer = 4 * w * w + mlp(w, v["intermediate_size"]) + 4 * w + 2 * v["head_dim"]
    return (v["num_hidden_layers"] * layer + 3 * v["patch_size"] ** 2 * w + 2 * v["position_embedding_size"] * w +
            (2 * w if v["standardize"] else 0) + w * h)


def mllama_tower(c):
    """Tiled ViT: bias-free attention, plain layers and gated global ones, tile position embeddings."""
    v, h = c["vision_config"], text_of(c)["hidden_size"]
    w, f = v["hidden_size"], v["intermediate_size"]
    layer = 4 * w * w + mlp(w, f, False, True) + 4 * w
    patches = (v["image_size"] // v["patch_size"]) ** 2 + 1
    ratios = sum(1 for x in range(1, v["max_num_tiles"] + 1) for y in range(1, v["max_num_tiles"] + 1)
                 if x * y <= v["max_num_tiles"]) + 1
    total = (v["num_hidden_layers"] + v["num_global_layers"]) * layer + 2 * v["num_global_layers"]
    total += 3 * v["patch_size"] ** 2 * w + w + patches * w + 1
    total += ratios * v["max_num_tiles"] * patches * w + 2 * (ratios * v["max_num_tiles"] * w + 1) + 4 * w
    return total + linear(v["vision_output_dim"], h, True)


TEXT = {
    "llama": llama_family, "mistral": llama_family, "mistral3": llama_family, "ministral3": llama_family,
    "mixtral": mixtral, "phimoe": lambda c: mixtral(c, True, True, True, True),
    "qwen2": lambda c: plain_decoder(c, qkv_bias=True), "qwen2_vl": lambda c: plain_decoder(c, qkv_bias=True),
    "qwen2_5_vl": lambda c: plain_decoder(c, qkv_bias=True), "qwen2_vl_text": lambda c: plain_decoder(c, qkv_bias=True),
    "qwen2_5_vl_text": lambda c: plain_decoder(c, qkv_bias=True),
    "mimo": lambda c: plain_decoder(c, qkv_bias=True), "qwen2_moe": qwen2_moe,
    "qwen3": qwen3, "qwen3_vl_text": qwen3, "qwen3_moe": qwen3_moe, "qwen3_vl_moe_text": qwen3_moe,
    "qwen3_next": qwen3_hybrid, "qwen3_5_text": qwen3_hybrid, "qwen3_5_moe_text": qwen3_hybrid,
    "gemma": plain_decoder, "gemma2": lambda c: plain_decoder(c, norms=4),
    "gemma3_text": lambda c: plain_decoder(c, norms=4, qk_norm=2 * c["head_dim"]), "gemma3n_text": gemma3n,
    "gemma4_text": gemma4, "gpt_oss": gpt_oss, "deepseek_v2": deepseek, "deepseek_v3": deepseek,
    "deepseek_v32": deepseek, "kimi_k2": deepseek, "glm_moe_dsa": deepseek, "glm4_moe_lite": deepseek,
    "glm4_moe": glm4_moe, "chatglm": chatglm, "glm4": lambda c: plain_decoder(c, qkv_bias=c["attention_bias"], norms=4),
    "glm": lambda c: plain_decoder(c, qkv_bias=c["attention_bias"]), "minimax_m2": minimax_m2,
    "minimax_text_01": minimax_text, "minimax_m1": minimax_text, "gpt2": gpt2, "gpt_bigcode": gpt2, "gptj": gptj,
    "gpt_neox": gpt_neox, "opt": opt, "bloom": bloom, "falcon": falcon, "mpt": mpt, "phi": phi, "phi3": plain_decoder,
    "cohere": command, "cohere2": command, "stablelm": stablelm, "starcoder2": starcoder2, "dbrx": dbrx,
    "grok-1": grok1, "llama4_text": llama4, "jamba": jamba, "nemotron_h": nemotron_h, "nemotron-nas": nemotron_nas,
    "mamba": mamba_lm, "falcon_mamba": mamba_lm, "mamba2": mamba2_lm, "olmo": olmo, "olmo2": olmo2, "olmo3": olmo2,
    "olmoe": olmoe, "internlm2": lambda c: plain_decoder(c, qkv_bias=c["bias"], o_bias=c["bias"]),
    "internlm3": lambda c: plain_decoder(c, qkv_bias=c["qkv_bias"], o_bias=c["bias"], mlp_bias=c["bias"]),
    "baichuan": plain_decoder, "granite": llama_family, "granitemoe": lambda c: mixtral(c),
    "smollm3": plain_decoder, "seed_oss": lambda c: plain_decoder(c, qkv_bias=c["attention_bias"]),
    "ernie4_5": plain_decoder, "ernie4_5_moe": ernie_moe, "mimo_v2_flash": mimo_v2,
    "mllama_text_model": mllama, "phi3small": phi3_small,
    "nemotron": lambda c: plain_decoder(c, norm_bias=True, gated=False),
    "bert": bert, "roberta": bert, "xlm-roberta": bert, "t5": t5, "whisper": whisper, "clip": clip,
}

TOWERS = {
    "gemma3": siglip_gemma3, "qwen2_vl": qwen2_vl_tower, "qwen2_5_vl": qwen25_vl_tower, "qwen3_vl": qwen3_vl_tower,
    "qwen3_vl_moe": qwen3_vl_tower, "qwen3_5": qwen3_vl_tower, "qwen3_5_moe": qwen3_vl_tower, "llama4": llama4_tower,
    "kimi_k25": kimi_tower, "mistral3": pixtral_tower, "gemma4": gemma4_tower, "mllama": mllama_tower,
}


def parts(config):
    """(language parameters, vision tower and projector parameters)."""
    kind = config.get("model_type")
    if kind == "clip":
        return clip(config), 0
    text = text_of(config)
    inner = text.get("model_type", kind)
    if inner not in TEXT:
        raise Unknown("no formula for model_type %r" % inner)
    tower = 0
    if isinstance(config.get("vision_config"), dict):
        if kind not in TOWERS:
            raise Unknown("no formula for the vision tower of %r" % kind)
        tower = TOWERS[kind](config)
    return TEXT[inner](text), tower


# ---------------------------------------------------------------------------------------------
# KV cache


def kv_layers(config):
    """Per layer that caches: (elements per token, window or None). Recurrent state is not in it."""
    c = text_of(config)
    kind = c.get("model_type")
    if kind in ("bert", "roberta", "xlm-roberta", "clip_text_model"):
        return []
    if kind == "t5":
        return [(2 * c["num_heads"] * c["d_kv"], None)] * c["num_decoder_layers"]
    if kind == "whisper":
        return [(2 * c["d_model"], None)] * c["decoder_layers"]
    if kind in ("mamba", "falcon_mamba", "mamba2"):
        return []
    if "kv_lora_rank" in c and c.get("kv_lora_rank"):
        return [(c["kv_lora_rank"] + c["qk_rope_head_dim"], None)] * c["num_hidden_layers"]
    if kind == "nemotron-nas":
        d = c["hidden_size"] // c["num_attention_heads"]
        return [(2 * c["num_attention_heads"] // b["attention"]["n_heads_in_group"] * d, None)
                for b in c["block_configs"]
                if not b["attention"].get("no_op") and not b["attention"].get("replace_with_linear")]
    if kind == "nemotron_h":
        layers = (c["hybrid_override_pattern"].count("*") if "hybrid_override_pattern" in c else
                  c["layers_block_type"].count("attention"))
        return [(2 * c["num_key_value_heads"] * first(c, "head_dim", "attention_head_dim"), None)] * layers
    if kind == "mimo_v2_flash":
        full = c["num_key_value_heads"] * (c["head_dim"] + c["v_head_dim"])
        window = c["swa_num_key_value_heads"] * (c["swa_head_dim"] + c["swa_v_head_dim"])
        return [(window, c["sliding_window"]) if kind_of else (full, None) for kind_of in c["hybrid_layer_pattern"]]
    if kind == "gemma4_text":
        full = 2 * (c.get("num_global_key_value_heads") or c["num_key_value_heads"]) * c["global_head_dim"]
        window = 2 * c["num_key_value_heads"] * c["head_dim"]
        own = c["num_hidden_layers"] - (c.get("num_kv_shared_layers") or 0)
        return [(full, None) if t == "full_attention" else (window, c["sliding_window"]) for t in c["layer_types"][:own]]
    if kind == "chatglm":
        return [(2 * c["multi_query_group_num"] * c["kv_channels"], None)] * c["num_layers"]
    if kind == "dbrx":
        return [(2 * c["attn_config"]["kv_n_heads"] * c["d_model"] // c["n_heads"], None)] * c["n_layers"]
    if kind == "mpt":
        return [(2 * c["d_model"], None)] * c["n_layers"]
    if kind in ("gpt2", "gptj", "gpt_bigcode"):
        d = first(c, "head_dim", default=c["n_embd"] // c["n_head"])
        return [(2 * (1 if c.get("multi_query") else c["n_head"]) * d, None)] * c["n_layer"]
    if kind == "bloom":
        return [(2 * first(c, "hidden_size", "n_embed"), None)] * c["n_layer"]
    if kind == "falcon":
        a = c["num_attention_heads"]
        k = first(c, "num_kv_heads", default=a) if c.get("new_decoder_architecture") else (
            1 if c.get("multi_query") else a)
        return [(2 * k * c["hidden_size"] // a, None)] * c["num_hidden_layers"]
    a, k, d = head_shape(c)
    per = 2 * k * d
    layers = c["num_hidden_layers"]
    if kind in ("qwen3_next", "qwen3_5_text", "qwen3_5_moe_text"):
        return [(per, None)] * (layers // c.get("full_attention_interval", 4))
    if kind == "jamba":
        return [(per, None) for i in range(layers) if i % c["attn_layer_period"] == c["attn_layer_offset"]]
    if kind in ("minimax_text_01", "minimax_m1"):
        return [(per, None) for t in c["attn_type_list"] if t == 1]
    if kind == "mllama_text_model":
        return [(per, None)] * (layers - len(c["cross_attention_layers"]))
    if kind == "gemma3n_text":
        own = layers - c["num_kv_shared_layers"]
        return [(per, None) if t == "full_attention" else (per, c["sliding_window"]) for t in c["layer_types"][:own]]
    if kind == "llama4_text":
        # Three of four layers attend within chunks; every fourth has no rotary embedding and sees everything.
        step = c.get("no_rope_layer_interval", 4)
        return [(per, None) if (i + 1) % step == 0 else (per, c["attention_chunk_size"]) for i in range(layers)]
    window = c.get("sliding_window")
    if c.get("layer_types"):
        return [(per, window) if t == "sliding_attention" else (per, None) for t in c["layer_types"]]
    if kind == "gemma2":
        return [(per, window) if i % 2 == 0 else (per, None) for i in range(layers)]
    if c.get("sliding_window_pattern") and window:
        return [(per, None) if (i + 1) % c["sliding_window_pattern"] == 0 else (per, window) for i in range(layers)]
    if kind in ("mistral", "phi3", "mixtral", "starcoder2", "ministral3", "mistral3") and window:
        return [(per, window)] * layers
    if c.get("use_sliding_window") and window:
        full = c.get("max_window_layers", layers)
        return [(per, None) if i < full else (per, window) for i in range(layers)]
    return [(per, None)] * layers


def kv_bytes(config, tokens, element_bytes):
    return sum(per * (tokens if window is None else min(tokens, window)) for per, window in kv_layers(config)) * \
        element_bytes


# Cases written out by hand: (id, tokens, bytes per element, arithmetic). The arithmetic is layers x
# elements x tokens, read off the architecture and not off kv_layers(); both must agree. "golden"
# marks figures that were also published by somebody else.
KV_CASES = [
    ("gemma-3-27b", 131072, 2, "(10*131072 + 52*1024) * 2*16*128 * 2", "golden 10.406 GiB"),
    ("gemma-3-1b", 32768, 2, "(4*32768 + 22*512) * 2*1*256 * 2", ""),
    ("gemma-3-4b", 8192, 2, "(5*8192 + 29*1024) * 2*4*256 * 2", ""),
    ("gemma-3-12b", 512, 2, "48*512 * 2*8*256 * 2", "no window is full yet"),
    ("gemma-2-9b", 8192, 2, "(21*8192 + 21*4096) * 2*8*256 * 2", ""),
    ("gemma-2-27b", 8192, 1, "(23*8192 + 23*4096) * 2*16*128 * 1", ""),
    ("gemma-7b", 8192, 2, "28*8192 * 2*16*256 * 2", "heads x head_dim is wider than the model"),
    ("gemma-2b", 8192, 2, "18*8192 * 2*1*256 * 2", "one KV head"),
    ("deepseek-v3.1", 163840, 2, "61*163840 * (512+64) * 2", "golden 10.723 GiB"),
    ("deepseek-v3", 1, 2, "61 * (512+64) * 2", "golden 70272 bytes per token"),
    ("deepseek-v2", 163840, 2, "60*163840 * (512+64) * 2", ""),
    ("deepseek-v2-lite", 32768, 2, "27*32768 * (512+64) * 2", ""),
    ("qwen3-0.6b", 40960, 2, "28*40960 * 2*8*128 * 2", "golden 4.375 GiB"),
    ("gpt-oss-20b", 131072, 2, "(12*131072 + 12*128) * 2*8*64 * 2", "golden 3.003 GiB"),
    ("gpt-oss-120b", 131072, 2, "(18*131072 + 18*128) * 2*8*64 * 2", ""),
    ("llama-3-8b", 1, 2, "32 * 2*8*128 * 2", "golden 131072 bytes per token"),
    ("llama-3-70b", 1, 2, "80 * 2*8*128 * 2", "golden 327680 bytes per token"),
    ("llama-3.1-405b", 1, 2, "126 * 2*8*128 * 2", "golden 516096 bytes per token"),
    ("llama-2-7b", 1, 2, "32 * 2*32*128 * 2", "golden 524288 bytes per token"),
    ("qwen3-32b", 1, 2, "64 * 2*8*128 * 2", "golden 262144 bytes per token"),
    ("qwen3-30b-a3b", 1, 2, "48 * 2*4*128 * 2", "golden 98304 bytes per token"),
    ("llama-3.2-1b", 131072, 2, "16*131072 * 2*8*64 * 2", ""),
    ("llama-2-70b", 4096, 2, "80*4096 * 2*8*128 * 2", ""),
    ("mistral-7b-v0.1", 32768, 2, "32*4096 * 2*8*128 * 2", "every layer holds a window of 4096"),
    ("mistral-7b", 32768, 2, "32*32768 * 2*8*128 * 2", ""),
    ("mistral-nemo-12b", 131072, 2, "40*131072 * 2*8*128 * 2", "head_dim 128, not 5120/32"),
    ("mixtral-8x7b", 32768, 2, "32*32768 * 2*8*128 * 2", ""),
    ("mixtral-8x22b", 65536, 2, "56*65536 * 2*8*128 * 2", ""),
    ("qwen2.5-7b", 32768, 2, "28*32768 * 2*4*128 * 2", "sliding_window there but use_sliding_window false"),
    ("qwen2.5-72b", 131072, 1, "80*131072 * 2*8*128 * 1", ""),
    ("qwen1.5-32b", 32768, 2, "64*32768 * 2*8*128 * 2", ""),
    ("qwen1.5-7b", 32768, 2, "32*32768 * 2*32*128 * 2", "no grouped heads"),
    ("qwen1.5-moe-a2.7b", 8192, 2, "24*8192 * 2*16*128 * 2", ""),
    ("qwen3-235b-a22b", 40960, 2, "94*40960 * 2*4*128 * 2", ""),
    ("qwen3-coder-480b-a35b", 262144, 2, "62*262144 * 2*8*128 * 2", ""),
    ("gpt2-small", 1024, 4, "12*1024 * 2*12*64 * 4", ""),
    ("gpt3-175b", 2048, 2, "96*2048 * 2*96*128 * 2", ""),
    ("gpt-j-6b", 2048, 2, "28*2048 * 2*16*256 * 2", ""),
    ("gpt-neox-20b", 2048, 2, "44*2048 * 2*64*96 * 2", ""),
    ("pythia-12b", 2048, 2, "36*2048 * 2*40*128 * 2", ""),
    ("opt-66b", 2048, 2, "64*2048 * 2*72*128 * 2", ""),
    ("bloom-176b", 2048, 2, "70*2048 * 2*112*128 * 2", ""),
    ("t5-11b", 512, 2, "24*512 * 2*128*128 * 2", "decoder self-attention; the cross-attention cache is constant state"),
    ("whisper-large-v3", 448, 2, "32*448 * 2*20*64 * 2",
     "decoder self-attention; the cross-attention cache is constant state"),
    ("bert-large", 512, 2, "0", "an encoder keeps no cache"),
    ("kimi-k2.5", 262144, 2, "61*262144 * (512+64) * 2", "golden 17.156 GiB"),
    ("glm-5", 202752, 2, "78*202752 * (512+64) * 2", "golden 16.967 GiB; index keys are not in it"),
    ("glm-4.7-flash", 131072, 2, "47*131072 * (512+64) * 2", ""),
    ("mistral-large-3", 131072, 2, "61*131072 * (512+64) * 2", ""),
    ("qwen3.5-27b", 262144, 2, "16*262144 * 2*4*256 * 2", "golden 16.000 GiB; the recurrent state is apart"),
    ("qwen3.5-397b-a17b", 262144, 2, "15*262144 * 2*2*256 * 2", "the recurrent state is apart"),
    ("qwen3.5-0.8b", 32768, 2, "6*32768 * 2*2*256 * 2", "the recurrent state is apart"),
    ("qwen3-next-80b-a3b", 262144, 2, "12*262144 * 2*2*256 * 2", "the recurrent state is apart"),
    ("gemma-4-26b-a4b", 262144, 2, "(5*262144 * 2*2*512 + 25*1024 * 2*8*256) * 2",
     "global layers have their own heads and width"),
    ("gemma-4-31b", 131072, 2, "(10*131072 * 2*4*512 + 50*1024 * 2*16*256) * 2", ""),
    ("gemma-4-e2b", 131072, 2, "(3*131072 * 2*1*512 + 12*512 * 2*1*256) * 2", "20 of 35 layers share"),
    ("gemma-4-e4b", 131072, 2, "(4*131072 * 2*2*512 + 20*512 * 2*2*256) * 2", "18 of 42 layers share"),
    ("gemma-3n-e4b", 32768, 2, "(4*32768 + 16*512) * 2*2*256 * 2", "15 of 35 layers share"),
    ("llama-4-scout", 131072, 2, "(12*131072 + 36*8192) * 2*8*128 * 2", "three of four layers hold a chunk of 8192"),
    ("llama-3.2-11b-vision", 131072, 2, "32*131072 * 2*8*128 * 2", "8 of 40 layers attend to the image only"),
    ("mimo-v2-flash", 131072, 2, "(9*131072 * 4*(192+128) + 39*128 * 8*(192+128)) * 2", "k wider than v"),
    ("minimax-text-01", 1000000, 2, "10*1000000 * 2*8*128 * 2", "lightning attention in 70 of 80 layers"),
    ("minimax-m2.5", 196608, 2, "62*196608 * 2*8*128 * 2", ""),
    ("glm-4.5-air", 131072, 2, "46*131072 * 2*8*128 * 2", "head_dim 128, not 4096/96"),
    ("glm-4-9b", 8192, 2, "40*8192 * 2*2*128 * 2", "two KV heads"),
    ("nemotron-h-56b", 8192, 2, "10*8192 * 2*8*128 * 2", "ten attention layers of 118"),
    ("nemotron-3-nano-30b-a3b", 262144, 2, "6*262144 * 2*2*128 * 2", "six attention layers of 52"),
    ("llama-3.3-nemotron-super-49b", 131072, 2, "49*131072 * 2*8*128 * 2", "31 of 80 layers have no attention"),
    ("jamba-v0.1", 262144, 2, "4*262144 * 2*8*128 * 2", "four attention layers of 32"),
    ("mamba-2.8b", 100000, 2, "0", "constant state only"),
    ("falcon-7b", 2048, 2, "32*2048 * 2*1*64 * 2", "one KV head"),
    ("falcon-40b", 2048, 2, "60*2048 * 2*8*64 * 2", ""),
    ("falcon-180b", 2048, 2, "80*2048 * 2*8*64 * 2", ""),
    ("mpt-7b", 2048, 2, "32*2048 * 2*32*128 * 2", ""),
    ("phi-2", 2048, 2, "32*2048 * 2*32*80 * 2", ""),
    ("phi-3-mini-4k", 4096, 2, "32*2047 * 2*32*96 * 2", "every layer holds a window of 2047"),
    ("phi-4", 16384, 2, "40*16384 * 2*10*128 * 2", ""),
    ("starcoder-15b", 8192, 2, "40*8192 * 2*1*128 * 2", "multi-query"),
    ("starcoder2-7b", 16384, 2, "32*4096 * 2*4*128 * 2", "every layer holds a window of 4096"),
    ("dbrx-132b", 32768, 2, "40*32768 * 2*8*128 * 2", ""),
    ("command-r7b", 131072, 2, "(8*131072 + 24*4096) * 2*8*128 * 2", "every fourth layer is global"),
    ("olmo-3-32b", 65536, 2, "(16*65536 + 48*4096) * 2*8*128 * 2", "every fourth layer is global"),
    ("yi-34b", 4096, 2, "60*4096 * 2*8*128 * 2", ""),
    ("grok-1", 8192, 2, "64*8192 * 2*8*128 * 2", ""),
]


def load():
    rows = []
    with open(MODELS, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            row = json.loads(line)
            row["_line"] = number
            rows.append(row)
    return rows


def check_catalogue(rows):
    """Problems of the file itself: order, unique names, required fields, dates."""
    problems, names = [], {}
    ids = [row["id"] for row in rows]
    if ids != sorted(ids):
        problems.append("rows are not sorted by id")
    for row in rows:
        where = "line %d (%s)" % (row["_line"], row["id"])
        for field in ("id", "hf_id", "aliases", "family", "published_parameters", "released", "licence", "source",
                      "date", "config"):
            if field not in row:
                problems.append("%s: no field %s" % (where, field))
        if not re.fullmatch(r"[a-z0-9][a-z0-9.\-]*", row["id"]):
            problems.append("%s: id is not lower case letters, digits, '.' and '-'" % where)
        for name in [row["id"], row["hf_id"]] + row["aliases"]:
            if name is None:
                continue
            if name.lower() in names:
                problems.append("%s: name %r is also %s" % (where, name, names[name.lower()]))
            names[name.lower()] = row["id"]
        for field in ("date", "released"):
            if row[field] is not None:
                try:
                    datetime.date.fromisoformat(row[field])
                except ValueError:
                    problems.append("%s: %s is not a date: %r" % (where, field, row[field]))
        if row["published_parameters"] is not None and "published_parameters_source" not in row:
            problems.append("%s: a published count without its source" % where)
        if row["config"] is None and not (row["published_parameters"] and row.get("note")):
            problems.append("%s: without a config it needs a published count and a note" % where)
        if not row["source"]:
            problems.append("%s: no source" % where)
    return problems


def tolerance_of(row):
    return EXCEPTIONS.get(row["id"], (TOLERANCE_PERCENT, ""))


def compare(rows):
    """Prints one line per model; returns the problems."""
    problems = []
    print("%-38s %18s %18s %9s" % ("id", "computed", "published", "diff %"))
    for row in rows:
        published = row["published_parameters"]
        if row["config"] is None:
            print("%-38s %18s %18s" % (row["id"], "-", "{:,}".format(published)))
            continue
        try:
            text, tower = parts(row["config"])
        except (Unknown, KeyError) as error:
            problems.append("%s: %s" % (row["id"], error))
            continue
        total = text + tower
        if published is None:
            print("%-38s %18s" % (row["id"], "{:,}".format(total)))
            continue
        diff = 100.0 * (total - published) / published
        tolerance, reason = tolerance_of(row)
        print("%-38s %18s %18s %+9.4f %s" % (row["id"], "{:,}".format(total), "{:,}".format(published), diff, reason))
        if abs(diff) > tolerance:
            problems.append("%s: computed %d, published %d (%+.3f %%)" % (row["id"], total, published, diff))
    return problems


def by_hand(arithmetic):
    if not re.fullmatch(r"[0-9+*() ]+", arithmetic):
        raise ValueError("not plain arithmetic: " + arithmetic)
    return eval(arithmetic)  # digits, +, * and brackets only


def check_kv(rows):
    """The hand-written cases against kv_layers()."""
    problems = []
    by_id = {row["id"]: row for row in rows}
    for model, tokens, size, arithmetic, _ in KV_CASES:
        if model not in by_id:
            problems.append("kv case: no model " + model)
            continue
        counted, expected = kv_bytes(by_id[model]["config"], tokens, size), by_hand(arithmetic)
        if counted != expected:
            problems.append("%s: kv cache of %d tokens %d, by hand %d" % (model, tokens, counted, expected))
    return problems


def write_expected(rows):
    folder = os.path.join(ROOT, "tests", "model")
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "expected_parameters.csv"), "w", newline="", encoding="utf-8") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(["id", "expected_parameters", "tolerance_percent", "source", "reason"])
        for row in rows:
            if row["published_parameters"] is not None and row["config"] is not None:
                tolerance, reason = tolerance_of(row)
                out.writerow([row["id"], row["published_parameters"], tolerance, row["published_parameters_source"],
                              reason])
    with open(os.path.join(folder, "expected_kv.csv"), "w", newline="", encoding="utf-8") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(["id", "context_tokens", "kv_dtype_bytes", "expected_kv_bytes", "source"])
        for model, tokens, size, arithmetic, note in KV_CASES:
            out.writerow([model, tokens, size, by_hand(arithmetic), arithmetic + ("; " + note if note else "")])


def count_folder(folder):
    for path in sorted(glob.glob(os.path.join(folder, "*.json"))):
        with open(path, encoding="utf-8") as file:
            config = json.load(file)
        try:
            text, tower = parts(config)
            kv = kv_bytes(config, 1, 2)
            print("%-55s %18s %16s %10d" % (os.path.basename(path), "{:,}".format(text), "{:,}".format(tower), kv))
        except (Unknown, KeyError) as error:
            print("%-55s %s" % (os.path.basename(path), error))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write-expected", action="store_true")
    parser.add_argument("--configs", metavar="DIR")
    parser.add_argument("--show", metavar="ID")
    options = parser.parse_args()
    if options.configs:
        count_folder(options.configs)
        return 0
    rows = load()
    if options.show:
        row = next(r for r in rows if r["id"] == options.show)
        text, tower = parts(row["config"])
        print("language %d\ntower    %d\nkv bytes per token (2 bytes each, windows not full) %d" %
              (text, tower, kv_bytes(row["config"], 1, 2)))
        return 0
    problems = check_catalogue(rows) + compare(rows) + check_kv(rows)
    if options.write_expected:
        write_expected(rows)
    for problem in problems:
        print("problem: " + problem, file=sys.stderr)
    print("%d models, %d problems" % (len(rows), len(problems)))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
