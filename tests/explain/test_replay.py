"""A step done again is the step that was done: its batch, its dropout, its loss, also from a saved state."""

import pytest
import torch

from linnet.batches.batch import IGNORE, Batch
from linnet.batches.shards import Shard, ShardWriter
from linnet.batches.windows import Windows
from linnet.core.errors import BadInput
from linnet.explain.replay import nearest_state, replay, token_losses, what_changed
from linnet.model.config import ModelConfig
from linnet.train.config import PretrainConfig
from linnet.train.loop import steps
from linnet.train.precision import Precision
from linnet.train.pretraining import begin, learning
from linnet.train.state import Checkpoints

STEPS = 9
CONFIG = PretrainConfig(
    model=ModelConfig(
        vocab_size=31, context_length=12, num_layers=1, hidden_size=32, num_heads=2, ngram_buckets=64, dropout=0.2
    ),
    steps=STEPS,
    batch_size=3,
    accumulate=2,
)


@pytest.fixture(scope="module")
def shard(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shard")
    generator = torch.Generator().manual_seed(5)
    with ShardWriter(folder / "train", "0" * 64, 31) as writer:
        writer.write(torch.randint(0, 31, (2000,), generator=generator).numpy(), "x")
        writer.end_document(0)
    return Shard.open(folder / "train")


def fresh(shard):
    torch.manual_seed(CONFIG.seed)
    return begin(CONFIG, Windows(shard, 3, 12, CONFIG.seed), Precision(torch.float32, torch.device("cpu")))


@pytest.fixture(scope="module")
def trained(shard, tmp_path_factory):
    """Return the losses of a training by step, and its folder with the states after steps 3 and 6."""
    folder, losses = tmp_path_factory.mktemp("run"), {}
    state, (objective, schedule) = fresh(shard), learning(CONFIG)
    for step in steps(state, objective, schedule, STEPS, CONFIG.accumulate, CONFIG.clip):
        losses[step.number] = step.numbers["loss"]
        if step.number in (3, 6):
            Checkpoints(folder / ("state" if step.number == 6 else "kept")).save(state)
    return folder, losses


def again(shard, trained, number, start=None, logged=None):
    state, seen = fresh(shard), []
    if start is not None:
        state.restore(start)
    objective, schedule = learning(CONFIG)
    done = replay(state, objective, schedule, CONFIG, number, trained[1] if logged is None else logged, seen.append)
    return done, [step.number for step in seen]


@pytest.mark.parametrize("number", range(1, STEPS + 1))
def test_every_step_from_the_nearest_state_has_the_loss_it_had(shard, trained, number):
    folder, losses = trained
    start = nearest_state(folder, number)
    done, seen = again(shard, trained, number, start)
    assert done.step.numbers["loss"] == losses[number]
    assert done.differences == {}
    assert seen == list(range((number - 1) // 3 * 3 + 1, number + 1))
    assert done.compared == len(seen)


def test_its_batches_are_those_of_the_step_and_its_losses_sum_to_the_loss(shard, trained):
    done, seen = again(shard, trained, 5)
    assert seen == [1, 2, 3, 4, 5]
    windows = Windows(shard, 3, 12, CONFIG.seed)
    assert [batch.ids.tolist() for batch in done.batches] == [windows.batch(n).ids.tolist() for n in (8, 9)]
    mean = sum(float(loss.double().sum()) for loss in done.losses) / sum(batch.learned for batch in done.batches)
    # Sums of 72 floats in another order; dropout of another draw would be off by 0.01 and more.
    assert mean == pytest.approx(trained[1][5], rel=1e-6)


def test_a_loss_that_differs_from_the_log_in_the_last_bit_is_told(shard, trained):
    wrong = {**trained[1], 2: trained[1][2] * (1 + 2**-52)}
    done, _ = again(shard, trained, 3, logged=wrong)
    assert done.differences == {2: (trained[1][2], wrong[2])}
    assert done.compared == 3


def test_a_step_that_is_past_or_never_comes_is_refused(shard, trained):
    with pytest.raises(BadInput, match="already after step 6"):
        again(shard, trained, 6, nearest_state(trained[0], 9))
    with pytest.raises(BadInput, match="has only 9 steps"):
        again(shard, trained, 10)


def test_the_nearest_whole_state_is_taken(trained, tmp_path):
    folder, _ = trained
    names = [path and path.name for path in (nearest_state(folder, number) for number in (1, 3, 4, 6, 7, 99))]
    assert names == [None, None, "step-00000003", "step-00000003", "step-00000006", "step-00000006"]
    for kind in ("kept", "state"):
        for path in (folder / kind).glob("*/*"):
            (tmp_path / path.relative_to(folder)).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path.relative_to(folder)).write_bytes(path.read_bytes())
    damaged = tmp_path / "state" / "step-00000006" / "tensors.safetensors"
    damaged.write_bytes(damaged.read_bytes()[:-1])
    assert nearest_state(tmp_path, 9).name == "step-00000003"
    assert nearest_state(tmp_path / "nowhere", 9) is None


def test_what_is_not_learned_costs_nothing(shard):
    model = fresh(shard).model.eval()
    ids = torch.arange(8).reshape(1, 8)
    targets = torch.tensor([[1, IGNORE, 3, 4, IGNORE, 6, 7, 8]])
    losses = token_losses(model, Batch(ids, targets))
    assert losses.shape == (1, 8)
    assert (losses[0] == 0).tolist() == [target == IGNORE for target in targets[0].tolist()]
    assert losses[0, 0] == pytest.approx(-float(model(ids).detach()[0, 0].log_softmax(-1)[1]), rel=1e-5)


def test_what_changed_names_machine_libraries_and_code():
    then = {
        "hardware": {"cpu": "A", "threads": 2, "memory_bytes": 5},
        "versions": {"torch": "2.9", "numpy": "2"},
        "code": {"linnet": "0.1", "commit": "abc"},
    }
    assert what_changed(then, then) == []
    assert what_changed(then, {**then, "hardware": {**then["hardware"], "memory_bytes": 6}}) == []
    now = {**then, "hardware": {"cpu": "A", "threads": 1}, "versions": {"torch": "3", "numpy": "2"}}
    assert what_changed(then, now) == ["threads was 2, is 1", "torch was 2.9, is 3"]
    assert what_changed({}, now) == []
    gpus = {**then, "hardware": {"gpus": ["X", "Y"]}}
    assert what_changed(gpus, then) == ["gpus was X, Y, is None"]
