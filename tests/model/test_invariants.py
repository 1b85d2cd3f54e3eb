"""What must hold of every decoder: causality, cached = full, packing, padding, checkpointing, gradients, determinism.

Tolerances: float32 logits of size about 3; what is compared took another order of sums, nothing else.
"""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from linnet.model.config import ModelConfig
from linnet.model.decoder import Decoder
from linnet.model.kv_cache import KVCache
from tests.model.variants import CAPACITY, VARIANTS, build, random_ids

CLOSE = 3e-5
ROWS = [3, *(pytest.param(rows, marks=pytest.mark.slow) for rows in (1, 8))]
ROLLING = ("window", "window_sinks", "sink_logits_window")


@pytest.fixture(params=VARIANTS, scope="module")
def model(request) -> Decoder:
    return build(**VARIANTS[request.param])


@pytest.fixture(params=CAPACITY, scope="module")
def tight(request) -> Decoder:
    return build(**CAPACITY[request.param])


def readable(config: ModelConfig, tokens: int) -> list[set[int]]:
    """Which places can reach each place through all layers: what a place sees, and what that had read before."""
    reads = [{at} for at in range(tokens)]
    for layer in range(config.num_layers):
        window = config.layer_window(layer) or tokens
        sees = [[*range(min(config.sink_tokens, at)), *range(max(0, at - window + 1), at + 1)] for at in range(tokens)]
        reads = [set().union(*(reads[place] for place in places)) for places in sees]
    return reads


def far(a: Tensor, b: Tensor) -> float:
    assert torch.isfinite(a).all()
    assert torch.isfinite(b).all()
    return float((a - b).detach().abs().max())


@pytest.mark.parametrize("grad", [False, True], ids=["inference", "training"])
def test_causality_a_later_token_never_changes_an_earlier_logit(model, grad):
    with torch.set_grad_enabled(grad):
        ids = random_ids(2, 20)
        logits = model(ids)
        for at in (1, 7, 19):
            changed = ids.clone()
            changed[:, at:] = (changed[:, at:] + 1) % model.config.vocab_size
            other = model(changed)
            assert far(logits[:, :at], other[:, :at]) < CLOSE
            assert far(logits[:, at], other[:, at]) > 1e-2


def test_causality_by_gradient_every_earlier_token_can_matter(model):
    # The gradient of one place's logits with respect to the embedded tokens says exactly which tokens they read.
    held = []

    def hold(_module, _inputs, out: Tensor) -> Tensor:
        held.append(out.detach().requires_grad_())
        return held[-1]

    expected = readable(model.config, 24)
    hook = model.embedding.register_forward_hook(hold)
    logits = model(random_ids(1, 24, seed=3))
    hook.remove()
    for at in (0, 5, 23):
        (grad,) = torch.autograd.grad(logits[0, at].sin().sum(), held[0], retain_graph=True)
        reads = grad[0].abs().amax(-1)
        assert set((reads > 0).nonzero().flatten().tolist()) == expected[at]


def run_cached(model: Decoder, ids: Tensor, cache: KVCache, pieces: list[int]) -> Tensor:
    out = [model(piece, cache=cache) for piece in ids.split(pieces, dim=1)]
    return torch.cat(out, dim=1)


@pytest.mark.parametrize("rows", ROWS)
@torch.no_grad()
def test_cached_equals_full_in_pieces_and_one_by_one(model, rows):
    ids = random_ids(rows, 22)
    full = model(ids)
    for pieces in ([22], [9, 4, 1, 8], [1] * 22):
        assert far(run_cached(model, ids, model.new_cache(rows, 22), pieces), full) < CLOSE


@pytest.mark.parametrize("name", ROLLING)
@pytest.mark.parametrize("rows", ROWS)
@torch.no_grad()
def test_rolling_cache_equals_full(name, rows):
    model = build(**VARIANTS[name])
    ids = random_ids(rows, 30)
    full = model(ids)
    # The ring has 5 places (and 2 for sinks): prefills shorter, as long, and many times longer than it.
    for pieces in ([30], [3, 27], [7, 6, 1, 1, 15], [1] * 30):
        assert far(run_cached(model, ids, model.new_cache(rows, 30, rolling=True), pieces), full) < CLOSE


@pytest.mark.parametrize(
    ("name", "rolling"), [*((name, False) for name in VARIANTS), *((name, True) for name in ROLLING)]
)
@pytest.mark.parametrize("rows", ROWS)
@torch.no_grad()
def test_cached_ragged_rows_equal_each_row_alone(name, rolling, rows):
    model = build(**VARIANTS[name])
    generator = torch.Generator().manual_seed(5)
    # Three ragged pieces (a row may get nothing at all), then two steps of one token for all.
    counts = torch.stack([torch.randint(low, 10, (rows,), generator=generator) for low in (1, 0, 2)])
    counts = torch.cat((counts, torch.ones(2, rows, dtype=torch.int64)))
    cache = model.new_cache(rows, 40, rolling=rolling)
    history, pieces = [[] for _ in range(rows)], [[] for _ in range(rows)]
    for step, count in enumerate(counts):
        ids = random_ids(rows, int(count.max()), seed=step)
        logits = model(ids, cache=cache, lengths=count)
        for row in range(rows):
            history[row].append(ids[row, : count[row]])
            pieces[row].append(logits[row, : count[row]])
    assert cache.lengths.tolist() == counts.sum(0).tolist()
    for row in range(rows):
        alone = model(torch.cat(history[row])[None])[0]
        assert far(torch.cat(pieces[row]), alone) < CLOSE


@torch.no_grad()
def test_cache_select_reorders_repeats_and_drops_rows(model):
    ids, more = random_ids(3, 9), random_ids(4, 3, seed=1)
    lengths, chosen = torch.tensor([9, 4, 6]), torch.tensor([2, 0, 2, 1])
    cache = model.new_cache(3, 20)
    model(ids, cache=cache, lengths=lengths)
    cache.select(chosen)
    logits = model(more, cache=cache)
    for row, source in enumerate(chosen.tolist()):
        alone = torch.cat((ids[source, : lengths[source]], more[row]))[None]
        assert far(logits[row], model(alone)[0, -3:]) < CLOSE


@pytest.mark.parametrize("grad", [pytest.param(False, marks=pytest.mark.slow), True], ids=["inference", "training"])
@pytest.mark.parametrize("given", [False, True], ids=["positions worked out", "positions given"])
def test_packing_each_document_as_if_alone(model, grad, given):
    with torch.set_grad_enabled(grad):
        sizes = [7, 1, 11, 9]
        ids = random_ids(2, sum(sizes) + 3)
        documents = torch.tensor([number for number, size in enumerate(sizes) for _ in range(size)] + [-1] * 3)[None]
        positions = torch.cat([torch.arange(size) for size in [*sizes, 3]])[None]
        packed = model(ids, documents=documents.expand(2, -1), positions=positions.expand(2, -1) if given else None)
        start = 0
        for size in sizes:
            piece = slice(start, start + size)
            assert far(packed[:, piece], model(ids[:, piece])) < CLOSE
            start += size


@torch.no_grad()
def test_padding_and_batch_mates_change_nothing(model):
    ids, lengths = random_ids(4, 15), torch.tensor([15, 3, 9, 1])
    alone = [model(ids[row : row + 1, : lengths[row]])[0] for row in range(4)]
    documents = torch.where(torch.arange(15)[None] < lengths[:, None], 0, -1)
    for together in (model(ids, lengths=lengths), model(ids, documents=documents), model(ids)):
        for row in range(4):
            assert far(together[row, : lengths[row]], alone[row]) < CLOSE


def gradients(model: Decoder, ids: Tensor, balance: bool = True) -> dict[str, Tensor]:
    model.zero_grad()
    logits = model(ids[:, :-1])
    loss = F.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten())
    if balance:
        loss = loss + sum(mixture.balance_loss for mixture in model.mixtures())
    loss.backward()
    return {name: parameter.grad.clone() for name, parameter in model.named_parameters() if parameter.grad is not None}


@pytest.fixture(params=[*VARIANTS, *CAPACITY])
def trained(request) -> Decoder:
    return build(**{**VARIANTS, **CAPACITY}[request.param]).train()


def test_every_parameter_gets_a_gradient(trained):
    grads = gradients(trained, random_ids(8, 33), balance=False)
    for name, _ in trained.named_parameters():
        assert name in grads, f"{name} gets no gradient"
        assert torch.isfinite(grads[name]).all(), name
        if name.endswith("key.bias") and trained.config.positions == "learned":
            # Softmax does not change when one number is added to all scores of a query: unrotated, the bias of the
            # keys does just that, in GPT-2 as well.
            assert grads[name].abs().max() < 1e-6
            continue
        assert grads[name].abs().max() > 1e-6, f"the gradient of {name} is zero"
    # Each row of a look-up table that was read, and nothing else, is moved.
    if not trained.config.tie_embeddings:
        moved = grads["embedding.weight"].abs().sum(1) > 0
        assert set(moved.nonzero().flatten().tolist()) == set(random_ids(8, 33)[:, :-1].flatten().tolist())


def test_checkpointing_gives_the_same_gradients(trained):
    ids = random_ids(3, 33)
    plain = gradients(trained, ids)
    trained.checkpointing = True
    kept = gradients(trained, ids)
    assert plain.keys() == kept.keys()
    for name, grad in plain.items():
        torch.testing.assert_close(
            kept[name], grad, rtol=1e-5, atol=1e-6, msg=lambda said, name=name: f"{name}: {said}"
        )


def test_checkpointing_repeats_the_dropout():
    model = build(**{**VARIANTS["ours"], "dropout": 0.3}).train()
    ids = random_ids(2, 17)
    torch.manual_seed(3)
    plain = gradients(model, ids)
    model.checkpointing = True
    torch.manual_seed(3)
    for name, grad in gradients(model, ids).items():
        torch.testing.assert_close(grad, plain[name], rtol=1e-5, atol=1e-6)


def test_determinism_the_same_network_and_gradients_twice(trained):
    again = build(**dict(trained.config)).train()
    ids = random_ids(3, 17)
    first, second = gradients(trained, ids), gradients(again, ids)
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_capacity_drops_later_tokens_first_so_causality_holds_within_a_row_of_top1():
    # Seats go by place: with one choice a token, a later token can never take the seat of an earlier one.
    model = build(**CAPACITY["capacity_top1"])
    ids = random_ids(1, 20)
    changed = ids.clone()
    changed[:, 12:] = (changed[:, 12:] + 1) % model.config.vocab_size
    with torch.no_grad():
        assert far(model(ids)[:, :12], model(changed)[:, :12]) < CLOSE


@torch.no_grad()
def test_capacity_padding_takes_no_seat(tight):
    ids = random_ids(2, 16)
    padded = torch.cat((ids, random_ids(2, 9, seed=4)), dim=1)
    # Rows of one length, so that padding changes neither the number of real tokens nor their order.
    logits = tight(padded, lengths=torch.tensor([16, 16]))
    assert far(logits[:, :16], tight(ids)) < CLOSE


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ours_ngrams", "gpt2", "window_sinks"])
def test_compiled_equals_eager_in_logits_and_gradients(name):
    model = build(**VARIANTS[name]).train()
    ids = random_ids(2, 33)
    compiled = torch.compile(model)
    logits, other = model(ids[:, :-1]), compiled(ids[:, :-1])
    assert far(logits, other) < CLOSE
    eager = gradients(model, ids)
    model.zero_grad()
    F.cross_entropy(compiled(ids[:, :-1]).flatten(0, 1), ids[:, 1:].flatten()).backward()
    for parameter_name, parameter in model.named_parameters():
        torch.testing.assert_close(parameter.grad, eager[parameter_name], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["ours", "window", "window_sinks", "gpt2", "llama_gqa"])
def test_long_rows_see_over_the_edges_of_blocks(name):
    # 300 tokens are three blocks of queries in the CPU training kernel.
    model = build(**{**VARIANTS[name], "context_length": 512})
    ids = random_ids(2, 300)
    training = model(ids)
    with torch.no_grad():
        assert far(training, model(ids)) < CLOSE
        assert far(run_cached(model, ids, model.new_cache(2, 300), [250, 30, 20]), training) < CLOSE
