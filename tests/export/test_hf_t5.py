"""T5 and FLAN-T5 against transformers itself, both ways, and folders that must be refused."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from linnet.core.errors import BadInput
from linnet.export.hf_t5 import export_t5, import_t5
from linnet.model.encoder_decoder import EncoderDecoder

transformers = pytest.importorskip("transformers")
from tests.export.seq_families import T5_FAMILIES, make, some_ids  # noqa: E402  needs transformers

LENGTHS = torch.tensor([17, 9, 1])
MASK = (torch.arange(17) < LENGTHS[:, None]).long()


@pytest.fixture(params=T5_FAMILIES)
def saved(request, tmp_path):
    model = make(request.param)
    model.save_pretrained(tmp_path / "theirs")
    return model, tmp_path


def their_logits(model) -> torch.Tensor:
    return model(input_ids=some_ids(3, 17), attention_mask=MASK, decoder_input_ids=some_ids(3, 11, 1)).logits


@torch.no_grad()
def test_logits_there_here_and_there_again_and_weights_to_the_bit(saved):
    theirs, folder = saved
    expected = their_logits(theirs)
    assert expected.std() > 0.1  # a model that says nothing would agree with anything
    ours = import_t5(folder / "theirs")
    found = ours(some_ids(3, 17), some_ids(3, 11, 1), source_lengths=LENGTHS)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
    export_t5(ours, folder / "ours")
    loaded = type(theirs).from_pretrained(folder / "ours", attn_implementation="eager").eval()
    torch.testing.assert_close(their_logits(loaded), expected, rtol=0, atol=1e-6)
    again = import_t5(folder / "ours")
    assert again.config == ours.config
    for name, weights in ours.state_dict().items():
        assert torch.equal(again.state_dict()[name], weights), name


@torch.no_grad()
def test_greedy_texts_are_those_of_generate(tmp_path):
    theirs = make("t5 1.1 (flan), untied, gated")
    theirs.save_pretrained(tmp_path)
    ours = import_t5(tmp_path)
    source, lengths = some_ids(2, 9), torch.tensor([9, 5])
    mask = (torch.arange(9) < lengths[:, None]).long()
    expected = theirs.generate(
        input_ids=source, attention_mask=mask, max_new_tokens=16, min_new_tokens=16, do_sample=False
    )
    cache = ours.new_cache(source, 17, lengths)
    ids = torch.full((2, 1), ours.config.start_id)
    written = [ids]
    for _ in range(16):
        logits = ours.decoder(ids, cache=cache)[:, -1:]
        logits[..., 1] = float("-inf")  # the end is not to come before its time
        ids = logits.argmax(-1)
        written.append(ids)
    assert torch.equal(torch.cat(written, 1), expected)


def refused(folder, *words):
    with pytest.raises(BadInput) as caught:
        import_t5(folder)
    assert "\n" not in str(caught.value)
    for word in words:
        assert word in str(caught.value)


def edit(folder, **changes):
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_what_cannot_be_expressed_or_does_not_fit_is_refused(tmp_path):
    make("t5, tied and scaled").save_pretrained(tmp_path)
    tensors = load_file(tmp_path / "model.safetensors")
    name = "decoder.block.1.layer.1.EncDecAttention.k.weight"

    def with_tensors(changed):
        save_file(changed, tmp_path / "model.safetensors")
        return tmp_path

    refused(with_tensors({n: t for n, t in tensors.items() if n != name}), "no tensor", name)
    refused(with_tensors(tensors | {name: tensors[name][:8].clone()}), name, "[8, 32]", "[32, 32]")
    refused(with_tensors(tensors | {"decoder.extra": torch.ones(1)}), "unexpected", "decoder.extra")
    refused(with_tensors(tensors | {"decoder.embed_tokens.weight": torch.ones(61, 32)}), "share one embedding")
    with_tensors(tensors)
    edit(tmp_path, feed_forward_proj="gated-relu")
    refused(tmp_path, "feed_forward_proj")
    edit(tmp_path, feed_forward_proj="relu", num_layers=500)
    refused(tmp_path, "502 layers")


@torch.no_grad()
def test_a_planted_fault_is_seen_in_the_logits(tmp_path):
    theirs = make("t5 wide heads, silu")
    theirs.save_pretrained(tmp_path)
    expected, ours = their_logits(theirs), import_t5(tmp_path)

    def off(change) -> float:
        change(ours)
        found = ours(some_ids(3, 17), some_ids(3, 11, 1), source_lengths=LENGTHS)
        change(ours, back=True)
        return float((found - expected).abs().max())

    def swapped(model, back=False):
        gate, up = model.decoder.blocks[0].mlp.gate, model.decoder.blocks[0].mlp.up
        gate.weight.data, up.weight.data = up.weight.data, gate.weight.data

    def no_bias(model, back=False):
        model.encoder.relative.table.weight.mul_(2.0 if back else 0.5)

    def usual_scale(model, back=False):
        for block in model.decoder.blocks:
            block.cross.scale = 1.0 if back else None

    for change in (swapped, no_bias, usual_scale):
        assert off(change) > 1e-3
    assert off(lambda model, back=False: None) < 1e-5


def test_only_networks_of_the_family_are_written(tmp_path):
    from tests.model.two_sided import TWO_SIDES, made

    with pytest.raises(BadInput, match=r"positions = 'sinusoidal' cannot be said in T5's config.json"):
        export_t5(made("encoder_decoder", **TWO_SIDES["sinusoidal"]), tmp_path / "no")
    ours = made("encoder_decoder", **{**TWO_SIDES["t5"], "start_id": 0, "logit_scale": 0.5})
    assert isinstance(ours, EncoderDecoder)
    with pytest.raises(BadInput, match="logit_scale"):
        export_t5(ours, tmp_path / "no")
