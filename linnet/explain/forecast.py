"""What a training will take: the arithmetic from a probe, or from the choices alone, to bytes and seconds."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from linnet.explain.probe import Probe
from linnet.model.config import ModelConfig
from linnet.model.flops import matmul_parameters
from linnet.train.config import GRPOConfig, OptimizerConfig, TrainingConfig

LOGIT_BYTES = 12  # of a logit at the loss: itself, its log-probability and its gradient, in fp32
# By how much a process grows for each byte more that its tensors need: holes between them are not always of use. 1.8
# was seen of glibc where a batch was made four times as large; it is measured where a probe is TELLING.
SLACK, MOST_SLACK, TELLING = 1.8, 2.5, 64 * 2**20


@dataclass(frozen=True)
class Forecast:
    """What a training will take: bytes at its most, by part; seconds, and tokens in one of them.

    `beside` are those of the seconds that go to work beside learning and reading, by what it is.
    """

    parameters: int
    trainable: int
    parts: dict[str, int]
    memory: int
    tokens_per_second: float
    step_seconds: float
    seconds: float
    beside: dict[str, float] = field(default_factory=dict)

    def numbers(self) -> dict[str, Any]:
        """Return all of it as plain values."""
        memory = {f"{name.replace(' ', '_')}_bytes": size for name, size in self.parts.items()}
        return {
            "parameters": self.parameters,
            "trainable": self.trainable,
            **memory,
            "peak_memory_bytes": self.memory,
            "tokens_per_second": self.tokens_per_second,
            "step_seconds": self.step_seconds,
            **{f"{name.replace(' ', '_')}_seconds": seconds for name, seconds in self.beside.items()},
            "seconds": self.seconds,
        }


def forecast(probe: Probe, cfg: TrainingConfig) -> Forecast:
    """Return what the training of these choices will take, by its own probe."""
    memory = peak(probe, cfg)
    step = step_seconds(probe, cfg)
    tokens = cfg.batch_size * cfg.accumulate * probe.places * probe.share
    return Forecast(
        parameters=probe.total,
        trainable=probe.trainable,
        parts=parts(probe, cfg, memory),
        memory=memory,
        tokens_per_second=tokens / step,
        step_seconds=step,
        seconds=whole_seconds(probe, cfg, step),
        beside=beside(probe, cfg),
    )


def peak(probe: Probe, cfg: TrainingConfig, rows: int | None = None) -> int:
    """Return the bytes of the process at its most, for the batch of the choices or one of so many rows.

    It holds what it held in the probe, and more or less by what other batches or evaluations need.
    """
    first, seen = probe.sights[0], probe.sights[-1]
    standing, rows = probe.weights + probe.states, cfg.batch_size if rows is None else rows
    evaluated = min(probe.evaluated, rows) if probe.evaluated == cfg.batch_size else probe.evaluated
    writing = probe.writing
    written = rows if isinstance(cfg, GRPOConfig) and writing.rows == cfg.batch_size else writing.rows
    held = standing + max(seen.learning, probe.updating, writing.row * writing.probed)
    wanted = standing + max(
        learning(probe, rows), probe.updating, probe.evaluating * evaluated, writing.row * written
    )  # fmt: skip
    more = int(slack(probe) * (wanted - held))
    return max(probe.resident, seen.resident + more) if more >= 0 else max(first.resident, probe.resident + more)


def learning(probe: Probe, rows: int) -> int:
    """Return the bytes that forward and backward of a batch hold at their most, beyond weights and states."""
    last = probe.sights[-1]
    return int(last.learning + (rows - last.rows) * _slope([(one.rows, one.learning) for one in probe.sights]))


def slack(probe: Probe) -> float:
    """Return how many bytes the process grows by for each byte more that a step holds: from one row to the largest."""
    first, last = probe.sights[0], probe.sights[-1]
    more = last.learning - first.learning
    if more < TELLING:
        return SLACK
    return min(MOST_SLACK, max(1.0, (last.resident - first.resident) / more))


def most_rows(probe: Probe, cfg: TrainingConfig, limit: int) -> int:
    """Return the most rows of a batch, up to that of the choices, that stay within so many bytes; 0 is none."""
    low, high = 0, cfg.batch_size
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if peak(probe, cfg, middle) <= limit else (low, middle - 1)
    return low


def parts(probe: Probe, cfg: TrainingConfig, memory: int) -> dict[str, int]:
    """Return what the bytes are for; they add up to `memory`.

    Weights, gradients and states are counted, logits too; the floor was measured before the network was there. What
    forward and backward hold beyond logits and gradients is activations, and the rest is the allocator's, the
    optimizer's, and what saving and measuring leave.
    """
    left = learning(probe, cfg.batch_size)
    logits = min(left, LOGIT_BYTES * probe.outputs * cfg.batch_size)
    gradients = min(left - logits, probe.gradients)
    found = {
        "interpreter and data": probe.floor,
        "weights": probe.weights,
        "gradients": gradients,
        "optimizer states": probe.states,
        "logits and loss": logits,
    }
    rest = memory - sum(found.values())
    activations = min(left - logits - gradients, rest)
    return {**found, "activations": activations, "allocator and the rest": rest - activations}


def step_seconds(probe: Probe, cfg: TrainingConfig) -> float:
    """Return the seconds of an optimizer step, with batches as wide as they are on average, and what comes with it."""
    last = probe.sights[-1]
    each = max(0.0, _slope([(one.rows, one.seconds) for one in probe.sights]))
    seconds = last.seconds + each * (cfg.batch_size * probe.share - last.rows)
    if cfg.accumulate > probe.batches:
        seconds = (seconds - probe.update_seconds) / probe.batches * cfg.accumulate + probe.update_seconds
    return seconds + sum(work.each_step * work.seconds for work in probe.works)


def whole_seconds(probe: Probe, cfg: TrainingConfig, step: float) -> float:
    """Return the seconds of a run: start, steps, held-out losses, saved states, and the work beside them.

    Not those of samples for people, but for the replies of a run whose measure they are.
    """
    looks, saves = _times_of(cfg, cfg.eval_every), _times_of(cfg, cfg.save_every)
    read = probe.before + looks * probe.each + probe.last
    begun = probe.ready_seconds + probe.prove_seconds
    within = cfg.steps * sum(work.each_step * work.seconds for work in probe.works)  # of the steps' own seconds
    reading = read * probe.row_seconds * probe.share
    besides = sum(beside(probe, cfg).values()) - within
    return begun + cfg.steps * step + reading + saves * probe.save_seconds + besides


def beside(probe: Probe, cfg: TrainingConfig) -> dict[str, float]:
    """Return the seconds of a run that go to work beside learning and reading, by what it is."""
    looks = _times_of(cfg, cfg.eval_every)
    return {
        work.name: work.seconds * (work.before + cfg.steps * work.each_step + looks * work.each_look + work.last)
        for work in probe.works
    }


def _times_of(cfg: TrainingConfig, every: int) -> int:
    """Return how often something comes that comes with each so many steps and with the last; never for 0."""
    return -(-cfg.steps // every) if every else 0


def least_bytes(cfg: TrainingConfig, parent: Path | None, model: ModelConfig | None) -> int:
    """Return the bytes that weights, gradients and states take at the least: enough to know that a probe is no use.

    From the architecture of a new network, or from the size of the parent's weights.
    """
    if parent is not None:
        return max((path.stat().st_size for path in parent.glob("*.safetensors")), default=0)
    if model is None:
        return 0
    return about_parameters(model) * (8 + state_bytes(cfg.optimizer))


def state_bytes(optimizer: OptimizerConfig) -> int:
    """Return the bytes that the optimizer keeps of each weight at the least."""
    if optimizer.kind == "muon":
        return 2 if optimizer.state_bits == 8 else 4
    return 2 if optimizer.state_bits == 8 else 8


def about_parameters(model: ModelConfig) -> int:
    """Return the parameters of a network but for gains, biases and gates: matrices and tables."""
    unvisited = model.num_experts - model.experts_per_token if model.num_experts else 0
    expert = (3 if model.is_gated else 2) * model.hidden_size * model.expert_width
    mixtures = sum(model.layer_is_mixture(layer) for layer in range(model.num_layers))
    valued = sum(model.layer_has_value_embedding(layer) for layer in range(model.num_layers))
    tables = 0 if model.tie_embeddings else model.vocab_size * model.hidden_size
    tables += (
        2 * model.ngram_buckets * model.hidden_size + valued * model.vocab_size * model.kv_heads * model.head_width
    )
    return matmul_parameters(model) + unvisited * expert * mixtures + tables


def _slope(points: list[tuple[int, float]]) -> float:
    """Return how much a number grows with each row, by the two largest sizes; from one alone, as if from nothing."""
    if len(points) == 1:
        return points[0][1] / points[0][0]
    (first, least), (last, most) = points[-2:]
    return (most - least) / (last - first)
