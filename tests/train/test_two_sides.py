"""What learning from pairs begins with: a tokenizer of the pairs, rows of both sides, a network of the right size."""

import torch

from linnet.core.device import pick_device
from linnet.train.objectives import source_to_target
from linnet.train.precision import Precision
from linnet.train.row_config import TWO_SIDES, Seq2SeqConfig
from linnet.train.two_sides import network, read_two_sides

CFG = Seq2SeqConfig(
    data="reversal:60",
    held_out=0.3,
    batch_size=4,
    model=TWO_SIDES.but(num_layers=1, hidden_size=16, num_heads=2, context_length=10),
)
PRECISION = Precision(torch.float32, pick_device("cpu"))


def test_pairs_that_fit_and_those_that_are_left_out():
    sides, config = read_two_sides(CFG, None)
    assert config.vocab_size == sides.tokenizer.vocab_size
    assert sides.left_out > 0  # a source of ten letters and its end
    assert all(len(item.source) <= 10 for item in sides.train.items)
    assert len(sides.asked) == len(sides.held_out.items)
    for example, item in zip(sides.asked, sides.held_out.items, strict=True):
        assert sides.tokenizer.decode(item.source) == example.question
        assert sides.tokenizer.decode(item.target) == example.answer
    assert "left out" in sides.line()


def test_measuring_is_the_mean_over_target_tokens_and_can_look_at_a_part():
    sides, config = read_two_sides(CFG, None)
    model = network(CFG, config, None)
    with torch.no_grad():
        model.decoder.head.weight.normal_(generator=torch.Generator().manual_seed(0))
        for part in model.parameters():
            part.add_(0.1 * torch.randn(part.shape, generator=torch.Generator().manual_seed(1)))
    numbers, count = sides.measure(model, PRECISION)
    assert count == sum(len(item.target) for item in sides.held_out.items)
    alone = [source_to_target(model, batch) for batch in sides.held_out.in_order()]
    assert abs(numbers["loss"] - float(sum(one.total for one in alone)) / count) < 1e-5
    assert sides.measure(model, PRECISION, 20)[1] < count


def test_a_given_network_keeps_its_tokenizer():
    sides, config = read_two_sides(CFG, None)
    given = network(CFG, config, None), sides.tokenizer
    again, same = read_two_sides(CFG.but(data="sorting:60", tokenizer="bpe"), given)
    assert same == config
    assert again.tokenizer is sides.tokenizer
    assert network(CFG, config, given) is given[0]
