"""What each by-hand operation must equal: a plain formula for autograd, and the module that trains.

Both take the setting of an example and its inputs as tensors. Letters as in linnet/by_hand/operation.py.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from random import Random

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

import linnet.model.norm as norms
import linnet.model.positions as positions
from linnet.batches.batch import Batch
from linnet.by_hand.dice import Example
from linnet.by_hand.examples import draw_example
from linnet.by_hand.operation import Params
from linnet.model.attend import attend
from linnet.model.attention import Attention, Sight
from linnet.model.config import ModelConfig
from linnet.model.mlp import MLP, squared_relu
from linnet.model.moe import MixtureOfExperts
from linnet.model.stack import Block
from linnet.train.objectives import next_token
from tests.by_hand import formulas

EPSILON = 1e-6
NAMES = {"q": "query", "k": "key", "v": "value", "o": "output", "u": "up", "g": "gate", "d": "down"}


@dataclass(frozen=True)
class Case:
    """A formula for autograd, and a module with its name (None where no module does this alone)."""

    formula: Callable
    module: Callable | None = None
    name: str = "-"


def draw(part: str, random: Random) -> Example:
    """Draw an example; of dropout with the mask that torch draws, since its generator is not NumPy's."""
    example = draw_example(part, random)
    if part != "dropout":
        return example
    from linnet.by_hand.dropout import keep_only

    (x,), rate = example.inputs, example.setting["rate"]
    kept = _torch_dropout({"rate": rate}, torch.ones(x.shape, dtype=torch.float64)).numpy() != 0
    return replace(example, operation=lambda x: keep_only(x, kept, rate), setting={"kept": kept, "rate": rate})


def as_tensor(array) -> Tensor | None:
    """Return an array of a setting as a tensor."""
    return None if array is None else torch.as_tensor(array)


def _torch_dropout(setting: dict, x: Tensor) -> Tensor:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return F.dropout(x, setting["rate"], training=True)


def _call(module: nn.Module, weights: dict[str, Tensor], *args, **options) -> Tensor:
    """Run a module with these tensors as its weights, all of them, so that the gradients reach the tensors."""
    return functional_call(module.double(), weights, args, options, strict=True)


def _linear(setting: dict, x: Tensor, w: Tensor, b: Tensor | None = None) -> Tensor:
    weights = {"weight": w} if b is None else {"weight": w, "bias": b}
    return _call(nn.Linear(w.shape[1], w.shape[0], bias=b is not None), weights, x)


class _Says(nn.Module):
    """A model that returns what it is told, to ask an objective for its loss."""

    def __init__(self, logits: Tensor):
        super().__init__()
        self.logits = logits

    def forward(self, ids: Tensor, **_: Tensor | None) -> Tensor:
        return self.logits

    def mixtures(self) -> list:
        return []


def _next_token(setting: dict, logits: Tensor) -> Tensor:
    targets = as_tensor(setting["targets"])
    loss = next_token(_Says(logits), Batch(ids=torch.zeros_like(targets), targets=targets))
    assert loss.count == (targets != -100).sum()
    return loss.total


def _embedding(setting: dict, table: Tensor) -> Tensor:
    return _call(nn.Embedding(*table.shape), {"weight": table}, as_tensor(setting["ids"]))


def _gain_and_bias(learned: tuple[Tensor, ...]) -> dict[str, Tensor]:
    if not learned:
        return {}
    return {"weight": learned[0], "bias": learned[1] if len(learned) > 1 else torch.zeros_like(learned[0])}


def _layer_norm(setting: dict, x: Tensor, *learned: Tensor) -> Tensor:
    return _call(norms.LayerNorm(x.shape[-1], setting["epsilon"], bool(learned)), _gain_and_bias(learned), x)


def _rms_norm(setting: dict, x: Tensor, *gain: Tensor) -> Tensor:
    weights = {"weight": gain[0]} if gain else {}
    return _call(norms.RMSNorm(x.shape[-1], setting["epsilon"], bool(gain)), weights, x)


def _batch_norm(setting: dict, x: Tensor, *learned: Tensor) -> Tensor:
    module = nn.BatchNorm1d(x.shape[-1], setting["epsilon"], affine=bool(learned), track_running_stats=False)
    return _call(module, _gain_and_bias(learned), x.flatten(0, -2)).view_as(x)


def _batch_norm_fixed(setting: dict, x: Tensor, gain: Tensor, shift: Tensor) -> Tensor:
    mean, variance = as_tensor(setting["mean"]), as_tensor(setting["variance"])
    return F.batch_norm(x.flatten(0, -2), mean, variance, gain, shift, False, 0.0, setting["epsilon"]).view_as(x)


def _rotary(setting: dict, size: int) -> tuple[Tensor, Tensor]:
    return positions.rotary_angles(as_tensor(setting["positions"]), size, setting["theta"], torch.float64)


def _rotate(setting: dict, x: Tensor) -> Tensor:
    return positions.rotate(x, *_rotary(setting, x.shape[-1]))


def _attend(setting: dict, q: Tensor, k: Tensor, v: Tensor, *sinks: Tensor) -> Tensor:
    mask = setting["mask"]
    everything = torch.ones(1, 1, q.shape[2], k.shape[2], dtype=torch.bool)
    shown = everything if mask is None else (everything & as_tensor(mask))
    return attend(q, k, v, mask=shown, sink_logits=sinks[0] if sinks else None)


def _attend_in_order(setting: dict, q: Tensor, k: Tensor, v: Tensor, *sinks: Tensor) -> Tensor:
    sink_logits = sinks[0] if sinks else None
    return attend(q, k, v, mask=None, window=setting["window"], sink_logits=sink_logits)


def _named(params: Params, prefix: str = "") -> dict[str, Tensor]:
    """Give the weights of an attention or feed-forward layer the names that they have in linnet's modules."""
    named = {"sinks": "sink_logits", "gain_q": "query_gain", "gain_k": "key_gain"}
    kinds = {"w": "weight", "b": "bias"}
    return {prefix + (named.get(key) or f"{NAMES[key[1:]]}.{kinds[key[0]]}"): weight for key, weight in params.items()}


def _norm_named(params: Params, prefix: str) -> dict[str, Tensor]:
    return {prefix + {"gain": "weight", "shift": "bias"}[key]: weight for key, weight in params.items()}


def _attention_config(setting: dict, params: Params) -> dict:
    return {
        "hidden_size": params["wq"].shape[1],
        "num_heads": setting["heads"],
        "num_kv_heads": params["wk"].shape[0] // setting["size"],
        "head_size": setting["size"],
        "attention_bias": "bq" in params,
        "qk_norm": "gain_q" in params,
        "norm_gain": True,
        "sink_logits": "sinks" in params,
        "value_embedding_every": 0,
        "norm_epsilon": EPSILON,
    }


def _mlp_config(params: Params, activation: str) -> dict:
    wide, hidden = params["wu"].shape
    return {"hidden_size": hidden, "mlp_size": wide, "activation": activation, "mlp_bias": "bu" in params}


def _self_attention(setting: dict, x: Tensor, params: Params) -> Tensor:
    module = Attention(ModelConfig(**_attention_config(setting, params)), layer=0)
    return _call(module, _named(params), x, Sight(_rotary(setting, setting["size"]), None, None, None))


def _feed_forward(setting: dict, x: Tensor, params: Params) -> Tensor:
    config = ModelConfig(num_heads=1, positions="none", **_mlp_config(params, setting["activation"]))
    return _call(MLP(config), _named(params), x)


def _decoder_block(setting: dict, x: Tensor, params: Params) -> Tensor:
    choices = _attention_config(setting, params["attention"]) | _mlp_config(params["mlp"], setting["activation"])
    kind, gained = "layer" if "shift" in params["mlp_norm"] else "rms", bool(params["mlp_norm"])
    attention = params["attention"]
    if not gained and "gain_q" in attention:
        return _gainless(setting, x, params, choices)
    config = ModelConfig(**{**choices, "norm": kind, "norm_gain": gained, "residual_mix": False})
    return _run_block(config, setting, x, params)


def _gainless(setting: dict, x: Tensor, params: Params, choices: dict) -> Tensor:
    """Run a block whose norms have no gain and whose queries and keys have one: in linnet, all have one or none has."""
    ones = {"gain": torch.ones(x.shape[-1], dtype=x.dtype)}
    config = ModelConfig(**{**choices, "norm": "rms", "norm_gain": True, "residual_mix": False})
    return _run_block(config, setting, x, params | {"attention_norm": ones, "mlp_norm": ones})


def _run_block(config: ModelConfig, setting: dict, x: Tensor, params: Params) -> Tensor:
    weights = _named(params["attention"], "attention.") | _named(params["mlp"], "mlp.")
    for norm in ("attention_norm", "mlp_norm"):
        weights |= _norm_named(params[norm], norm + ".")
    sight = Sight(_rotary(setting, setting["size"]), None, None, None)
    return _call(Block(config, layer=0), weights, x, x, sight, None, None)


def _mixture(setting: dict, x: Tensor, params: Params) -> tuple[Tensor, Tensor]:
    config = ModelConfig(
        num_heads=1,
        positions="none",
        num_experts=len(params["experts"]),
        experts_per_token=setting["chosen"],
        expert_capacity=setting["capacity"],
        **_mlp_config(params["experts"][0], setting["activation"]),
    )
    module, weights = MixtureOfExperts(config), {"router.weight": params["router"]}
    for number, expert in enumerate(params["experts"]):
        weights |= _named(expert, f"experts.{number}.")
    y = _call(module, weights, x, as_tensor(setting["real"]))
    return y, module.balance_loss


def _torch_attention(params: Params, prefix: str) -> dict[str, Tensor]:
    """Give attention's weights the names of torch.nn.MultiheadAttention, which keeps three matrices in one."""
    return {
        prefix + "in_proj_weight": torch.cat([params["w" + name] for name in "qkv"]),
        prefix + "in_proj_bias": torch.cat([params["b" + name] for name in "qkv"]),
        prefix + "out_proj.weight": params["wo"],
        prefix + "out_proj.bias": params["bo"],
    }


def _cross_attention(setting: dict, x: Tensor, source: Tensor, params: Params) -> Tensor:
    module = nn.MultiheadAttention(x.shape[-1], setting["heads"], batch_first=True)
    hidden = ~as_tensor(setting["mask"])[:, 0, 0]
    weights = _torch_attention(params, "")
    return _call(module, weights, x, source, source, key_padding_mask=hidden, need_weights=False)[0]


def _torch_block(kind: type[nn.Module], setting: dict, params: Params, norm_names: dict[str, str]):
    """Return a block of torch.nn and the weights it has in common with ours."""
    mlp = params["mlp"]
    weights = _torch_attention(params["attention"], "self_attn.")
    for number, name in (("1", "u"), ("2", "d")):
        weights |= {f"linear{number}.weight": mlp["w" + name], f"linear{number}.bias": mlp["b" + name]}
    for norm, name in norm_names.items():
        weights |= _norm_named(params[norm], name + ".")
    curve = {"relu": "relu", "gelu_exact": "gelu"}[setting["activation"]]
    module = kind(
        len(mlp["bd"]), setting["heads"], setting["wide"], 0.0, curve, layer_norm_eps=EPSILON, batch_first=True
    )
    return module, weights


def _encoder_block(setting: dict, x: Tensor, params: Params) -> Tensor:
    names = {"attention_norm": "norm1", "mlp_norm": "norm2"}
    module, weights = _torch_block(nn.TransformerEncoderLayer, setting, params, names)
    return _call(module, weights, x, src_key_padding_mask=~as_tensor(setting["mask"])[:, 0, 0])


def _cross_decoder_block(setting: dict, x: Tensor, source: Tensor, params: Params) -> Tensor:
    names = {"attention_norm": "norm1", "cross_norm": "norm2", "mlp_norm": "norm3"}
    module, weights = _torch_block(nn.TransformerDecoderLayer, setting, params, names)
    weights |= _torch_attention(params["cross"], "multihead_attn.")
    hidden = ~as_tensor(setting["source_mask"])[:, 0, 0]
    return _call(module, weights, x, source, tgt_mask=~as_tensor(setting["mask"]), memory_key_padding_mask=hidden)


def _dpo(setting: dict, chosen: Tensor, rejected: Tensor) -> Tensor:
    reference_chosen, reference_rejected = map(as_tensor, setting["reference"])
    logits = (chosen - rejected) - (reference_chosen - reference_rejected)
    return -F.logsigmoid(setting["beta"] * logits).sum()


def _answer(setting: dict, logits: Tensor) -> Tensor:
    return -F.cross_entropy(logits.transpose(1, 2), as_tensor(setting["targets"]), reduction="none").sum(1)


def _alone(function: Callable) -> Callable:
    """Return the function with a setting that it does not need."""
    return lambda setting, *inputs: function(*inputs)


_ATTEND = Case(formulas.attend, _attend, "linnet.model.attend.attend")
_ATTEND_IN_ORDER = Case(formulas.attend, _attend_in_order, "linnet.model.attend.attend")
_MIXTURE = Case(formulas.mixture, _mixture, "linnet.model.moe.MixtureOfExperts")
CASES: dict[str, Case] = {
    "linear": Case(formulas.linear, _linear, "torch.nn.Linear"),
    "ReLU": Case(formulas.relu, _alone(F.relu), "torch relu"),
    "squared ReLU": Case(formulas.squared_relu, _alone(squared_relu), "linnet.model.mlp.squared_relu"),
    "sigmoid": Case(formulas.sigmoid, _alone(torch.sigmoid), "torch sigmoid"),
    "GELU": Case(formulas.gelu, _alone(F.gelu), "torch gelu"),
    "GELU by tanh": Case(formulas.gelu_tanh, _alone(partial(F.gelu, approximate="tanh")), "torch gelu"),
    "SiLU": Case(formulas.silu, _alone(F.silu), "torch silu"),
    "SwiGLU": Case(formulas.swiglu, _alone(lambda gate, up: F.silu(gate) * up), "torch silu"),
    "softmax": Case(formulas.softmax, _alone(partial(torch.softmax, dim=-1)), "torch softmax"),
    "cross-entropy": Case(formulas.cross_entropy, _next_token, "linnet.train.objectives.next_token"),
    "embedding": Case(formulas.embedding, _embedding, "torch.nn.Embedding"),
    "dropout": Case(formulas.dropout, _torch_dropout, "torch dropout"),
    "LayerNorm": Case(formulas.layer_norm, _layer_norm, "linnet.model.norm.LayerNorm"),
    "RMSNorm": Case(formulas.rms_norm, _rms_norm, "linnet.model.norm.RMSNorm"),
    "BatchNorm": Case(formulas.batch_norm, _batch_norm, "torch.nn.BatchNorm1d"),
    "BatchNorm, fixed": Case(formulas.batch_norm_fixed, _batch_norm_fixed, "torch batch_norm"),
    "learned positions": Case(formulas.embedding, _embedding, "torch.nn.Embedding"),
    "rotary positions": Case(formulas.rotate, _rotate, "linnet.model.positions.rotate"),
    "dot-product attention": _ATTEND,
    "causal attention": _ATTEND_IN_ORDER,
    "grouped-query attention": _ATTEND_IN_ORDER,
    "padded attention": _ATTEND,
    "windowed attention": _ATTEND_IN_ORDER,
    "attention with sinks": _ATTEND_IN_ORDER,
    "multi-head attention": Case(formulas.self_attention, _self_attention, "linnet.model.attention.Attention"),
    "cross-attention": Case(formulas.cross_attention, _cross_attention, "torch.nn.MultiheadAttention"),
    "feed-forward": Case(formulas.feed_forward, _feed_forward, "linnet.model.mlp.MLP"),
    "residual": Case(formulas.residual),
    "Add & Norm": Case(formulas.add_and_norm),
    "pre-norm": Case(formulas.pre_norm),
    "decoder block": Case(formulas.decoder_block, _decoder_block, "linnet.model.decoder.Block"),
    "encoder block": Case(formulas.encoder_block, _encoder_block, "torch.nn.TransformerEncoderLayer"),
    "cross decoder block": Case(formulas.cross_decoder_block, _cross_decoder_block, "torch.nn.TransformerDecoderLayer"),
    "mixture, top 1": _MIXTURE,
    "mixture, top 2": _MIXTURE,
    "LoRA": Case(formulas.lora),
    "answer log-probability": Case(formulas.answer_log_probability, _answer, "torch cross_entropy"),
    "DPO": Case(formulas.dpo, _dpo, "torch logsigmoid"),
    "int8 linear": Case(formulas.int8_linear),
}
