"""What a cell of a comparison trains: nothing but method, seed, rate and share differs; and what is refused."""

from pathlib import Path

import pytest

from linnet.core.errors import BadInput
from linnet.evals.compare_config import CompareConfig, Share, cell


def config(**more) -> CompareConfig:
    return CompareConfig.build({"base": "base", **more}, "test")


def differing(one, other) -> set[str]:
    a, b = one.model_dump(), other.model_dump()
    return {name for name in a if a[name] != b[name]}


def test_cells_differ_in_method_seed_and_folder_alone():
    cfg, share = config(), Share(50, 8)
    full = cell(cfg, "full", share, 0, Path("a"))
    assert differing(full, cell(cfg, "lora", share, 1, Path("b"))) == {"adapt", "seed", "out"}
    assert full.parent == Path("base")
    assert (full.steps, full.batch_size, full.accumulate) == (50, 8, 1)


def test_virtual_tokens_have_their_own_rate_and_a_factor_counts_for_every_rate():
    cfg, share = config(virtual_lr=0.05), Share(50, 8)
    lora, prompt = (cell(cfg, method, share, 0, Path("a"), 3.0).optimizer for method in ("lora", "prompt"))
    assert prompt.adapter_lr == pytest.approx(0.15)
    assert lora.adapter_lr == pytest.approx(3 * cfg.optimizer.adapter_lr)
    for name in ("matrix_lr", "lr", "embedding_lr", "head_lr"):
        assert getattr(prompt, name) == pytest.approx(3 * getattr(cfg.optimizer, name))


def test_a_short_training_has_a_short_warm_up():
    assert cell(config(), "full", Share(20, 8), 0, Path("a")).schedule.warmup == 2
    assert cell(config(), "full", Share(500, 8), 0, Path("a")).schedule.warmup == 10


@pytest.mark.parametrize(
    ("source", "data"),
    [("world", "sentiment=world:2000:0"), ("world:9:7", "sentiment=world:2000:7"), ("/rows", "sentiment=/rows@2000")],
)
def test_the_rows_to_learn(source, data):
    assert config(source=source).data == data


def test_the_reference_is_full_or_else_the_first():
    assert config(methods="lora,full").reference == "full"
    assert config(methods="prompt,lora").reference == "prompt"


@pytest.mark.parametrize(
    ("choices", "said"),
    [
        ({"budget": "time"}, "--seconds belong together"),
        ({"seconds": 3}, "--seconds belong together"),
        ({"budget": "memory"}, "--memory-mib belong together"),
        ({"methods": "lora,lora"}, "each once"),
        ({"methods": ""}, "one or more"),
        ({"methods": "lara"}, "lara"),
        ({"rates": "1,-1"}, "above 0"),
        ({"adapt": {"method": "lora"}}, "named by --methods"),
    ],
)
def test_what_does_not_go_together_is_refused(choices, said):
    with pytest.raises(BadInput, match=said):
        config(**choices)
