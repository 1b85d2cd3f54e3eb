"""The operations once more as plain formulas in torch, written apart from the modules, for autograd to differentiate.

Each takes the setting of an example and its inputs as tensors.
"""

import math

import torch
from torch import Tensor

from linnet.by_hand.operation import Params

EPSILON = 1e-6


def linear(setting: dict, x: Tensor, w: Tensor, b: Tensor | None = None) -> Tensor:
    y = torch.einsum("...i,oi->...o", x, w)
    return y if b is None else y + b


def relu(setting: dict, x: Tensor) -> Tensor:
    return torch.where(x > 0, x, 0.0)


def squared_relu(setting: dict, x: Tensor) -> Tensor:
    return torch.where(x > 0, x * x, 0.0)


def sigmoid(setting: dict, x: Tensor) -> Tensor:
    return 1 / (1 + (-x).exp())


def gelu(setting: dict, x: Tensor) -> Tensor:
    return x * (1 + torch.erf(x / math.sqrt(2))) / 2


def gelu_tanh(setting: dict, x: Tensor) -> Tensor:
    return x * sigmoid({}, 2 * math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))


def silu(setting: dict, x: Tensor) -> Tensor:
    return x / (1 + (-x).exp())


def swiglu(setting: dict, gate: Tensor, up: Tensor) -> Tensor:
    return silu({}, gate) * up


CURVES = {"relu": relu, "relu2": squared_relu, "gelu": gelu_tanh, "gelu_exact": gelu}


def softmax(setting: dict, x: Tensor) -> Tensor:
    return (x - x.logsumexp(-1, keepdim=True)).exp()


def _log_shares(logits: Tensor, targets: Tensor) -> Tensor:
    """Return log p(target) at the learned places and 0 at the others."""
    learned = targets >= 0
    picked = logits.gather(-1, targets.clamp(min=0)[..., None])[..., 0]
    return (picked - logits.logsumexp(-1)) * learned


def cross_entropy(setting: dict, logits: Tensor) -> Tensor:
    return -_log_shares(logits, torch.as_tensor(setting["targets"])).sum()


def answer_log_probability(setting: dict, logits: Tensor) -> Tensor:
    return _log_shares(logits, torch.as_tensor(setting["targets"])).sum(-1)


def embedding(setting: dict, table: Tensor) -> Tensor:
    onehot = torch.nn.functional.one_hot(torch.as_tensor(setting["ids"]), len(table)).to(table.dtype)
    return onehot @ table


def dropout(setting: dict, x: Tensor) -> Tensor:
    return torch.where(torch.as_tensor(setting["kept"]), x / (1 - setting["rate"]), 0.0)


def _affine(n: Tensor, learned: tuple[Tensor, ...]) -> Tensor:
    n = n * learned[0] if learned else n
    return n + learned[1] if len(learned) > 1 else n


def layer_norm(setting: dict, x: Tensor, *learned: Tensor) -> Tensor:
    variance, mean = torch.var_mean(x, -1, correction=0, keepdim=True)
    return _affine((x - mean) * (variance + setting["epsilon"]).rsqrt(), learned)


def rms_norm(setting: dict, x: Tensor, *learned: Tensor) -> Tensor:
    return _affine(x * (x.square().mean(-1, keepdim=True) + setting["epsilon"]).rsqrt(), learned)


def batch_norm(setting: dict, x: Tensor, *learned: Tensor) -> Tensor:
    variance, mean = torch.var_mean(x, tuple(range(x.ndim - 1)), correction=0, keepdim=True)
    return _affine((x - mean) * (variance + setting["epsilon"]).rsqrt(), learned)


def batch_norm_fixed(setting: dict, x: Tensor, *learned: Tensor) -> Tensor:
    mean, variance = torch.as_tensor(setting["mean"]), torch.as_tensor(setting["variance"])
    return _affine((x - mean) * (variance + setting["epsilon"]).rsqrt(), learned)


def rotate(setting: dict, x: Tensor) -> Tensor:
    """Turn pairs as complex numbers: multiplying by exp(i angle) is a rotation."""
    half = x.shape[-1] // 2
    place = torch.as_tensor(setting["positions"])[:, None, :, None]
    angle = place * setting["theta"] ** (-torch.arange(half, dtype=x.dtype) / half)
    turned = torch.complex(x[..., :half], x[..., half:]) * torch.polar(torch.ones_like(angle), angle)
    return torch.cat((turned.real, turned.imag), dim=-1)


def attend(setting: dict, q: Tensor, k: Tensor, v: Tensor, *sinks: Tensor) -> Tensor:
    """Weigh by exp(score) where the mask is true, over the sum of all such, and exp(sink) with a sink."""
    groups = q.unflatten(1, (k.shape[1], -1))  # [B, G, H/G, T, d]
    scores = torch.einsum("bgntd,bgsd->bgnts", groups, k).flatten(1, 2) / math.sqrt(q.shape[-1])
    powers = scores.exp()
    if setting["mask"] is not None:
        powers = powers * torch.as_tensor(setting["mask"])
    total = powers.sum(-1, keepdim=True)
    if sinks:
        total = total + sinks[0].exp()[:, None, None]
    weights = (powers / total).unflatten(1, (k.shape[1], -1))
    return torch.einsum("bgnts,bgsd->bgntd", weights, v).flatten(1, 2)


def _project(x: Tensor, params: Params, name: str) -> Tensor:
    return linear({}, x, params["w" + name], params.get("b" + name))


def _attention(setting: dict, mask, x: Tensor, source: Tensor, params: Params) -> Tensor:
    def heads(of: Tensor, name: str) -> Tensor:
        y = _project(of, params, name).unflatten(-1, (-1, setting["size"])).transpose(1, 2)
        if "gain_" + name in params:
            y = rms_norm({"epsilon": EPSILON}, y, params["gain_" + name])
        return rotate(setting, y) if name in "qk" and "positions" in setting else y

    sinks = (params["sinks"],) if "sinks" in params else ()
    mixed = attend({"mask": mask}, heads(x, "q"), heads(source, "k"), heads(source, "v"), *sinks)
    return _project(mixed.transpose(1, 2).flatten(2), params, "o")


def self_attention(setting: dict, x: Tensor, params: Params) -> Tensor:
    return _attention(setting, setting["mask"], x, x, params)


def cross_attention(setting: dict, x: Tensor, source: Tensor, params: Params) -> Tensor:
    return _attention(setting, setting["mask"], x, source, params)


def feed_forward(setting: dict, x: Tensor, params: Params) -> Tensor:
    wide = _project(x, params, "u")
    gated = setting["activation"] == "swiglu"
    bent = swiglu({}, _project(x, params, "g"), wide) if gated else CURVES[setting["activation"]]({}, wide)
    return _project(bent, params, "d")


def _norm(x: Tensor, params: Params) -> Tensor:
    kind = layer_norm if "shift" in params else rms_norm
    return kind({"epsilon": EPSILON}, x, *(params[key] for key in ("gain", "shift") if key in params))


def residual(setting: dict, x: Tensor, mlp: Params) -> Tensor:
    return x + feed_forward({"activation": "gelu"}, x, mlp)


def add_and_norm(setting: dict, x: Tensor, mlp: Params, norm: Params) -> Tensor:
    return _norm(residual(setting, x, mlp), norm)


def pre_norm(setting: dict, x: Tensor, mlp: Params, norm: Params) -> Tensor:
    return x + feed_forward({"activation": "gelu"}, _norm(x, norm), mlp)


def decoder_block(setting: dict, x: Tensor, params: Params) -> Tensor:
    x = x + self_attention(setting, _norm(x, params["attention_norm"]), params["attention"])
    return x + feed_forward(setting, _norm(x, params["mlp_norm"]), params["mlp"])


def encoder_block(setting: dict, x: Tensor, params: Params) -> Tensor:
    x = _norm(x + self_attention(setting, x, params["attention"]), params["attention_norm"])
    return _norm(x + feed_forward(setting, x, params["mlp"]), params["mlp_norm"])


def cross_decoder_block(setting: dict, x: Tensor, source: Tensor, params: Params) -> Tensor:
    x = _norm(x + self_attention(setting, x, params["attention"]), params["attention_norm"])
    x = _norm(x + _attention(setting, setting["source_mask"], x, source, params["cross"]), params["cross_norm"])
    return _norm(x + feed_forward(setting, x, params["mlp"]), params["mlp_norm"])


def mixture(setting: dict, x: Tensor, params: Params) -> tuple[Tensor, Tensor]:
    """Ask all experts about all tokens, then weigh by who was chosen, seating token by token."""
    flat, count, chosen = x.flatten(0, -2), len(params["experts"]), setting["chosen"]
    said = torch.stack([feed_forward(setting, flat, expert) for expert in params["experts"]], dim=1)  # [N, E, D]
    p = softmax({}, linear({}, flat, params["router"]))
    real = torch.ones(len(flat), dtype=torch.bool)
    if setting["real"] is not None:
        real = torch.as_tensor(setting["real"]).flatten()
    tokens = max(int(real.sum()), 1)
    ranked = p.detach().argsort(-1, descending=True)[:, :chosen].tolist()
    share_of_even = math.inf if setting["capacity"] is None else setting["capacity"] * tokens * chosen / count
    seats = [share_of_even if math.isinf(share_of_even) else max(1, int(share_of_even))] * count
    asked, y = torch.zeros(count, dtype=x.dtype), [torch.zeros_like(row) for row in flat]
    for rank in range(chosen):
        for n, best in enumerate(ranked):
            expert = best[rank]
            asked[expert] += bool(real[n])
            if real[n] and seats[expert] >= 1:
                seats[expert] -= 1
                weight = p[n, expert] / (1.0 if chosen == 1 else p[n, best].sum())
                y[n] = y[n] + weight * said[n, expert]
    balance = count * (asked / (tokens * chosen) * p[real].sum(0) / tokens).sum()
    return torch.stack(y).view_as(x), balance


def lora(setting: dict, x: Tensor, a: Tensor, b: Tensor) -> Tensor:
    return x @ (torch.as_tensor(setting["w"]) + setting["alpha"] / a.shape[0] * (b @ a)).T


def dpo(setting: dict, chosen: Tensor, rejected: Tensor) -> Tensor:
    """By odds: the policy's over the reference's, to the power beta, against one."""
    reference_chosen, reference_rejected = map(torch.as_tensor, setting["reference"])
    better = (setting["beta"] * (chosen - reference_chosen)).exp()
    worse = (setting["beta"] * (rejected - reference_rejected)).exp()
    return -(better / (better + worse)).log().sum()


def int8_linear(setting: dict, x: Tensor) -> Tensor:
    w = torch.as_tensor(setting["w"])
    scale = w.abs().amax(-1, keepdim=True) / 127
    return x @ ((w / scale).round() * scale).T
