"""Adapters that are served: each its own model over one engine, and every way in which one does not fit."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from starlette.testclient import TestClient

from linnet.adapt.config import AdaptConfig
from linnet.adapt.lora import all_detoured
from linnet.adapt.quant_config import QuantConfig
from linnet.adapt.quantize import quantize
from linnet.adapt.surgery import adapt, fold
from linnet.artifacts import load_model, save_model, save_quantized, save_tuned
from linnet.core.errors import BadInput
from linnet.infer.config import SamplingConfig
from linnet.infer.decode import generate
from linnet.serve.app import create_app
from linnet.serve.config import ServeConfig
from linnet.serve.hosting import open_hosts
from linnet.serve.service import Service
from tests.adapt.networks import learn
from tests.infer.networks import bpe, network

CHOICES = {"style": AdaptConfig(method="lora", rank=2), "tone": AdaptConfig(method="dora", rank=3, targets="c_attn,up")}


def tuned(folder: Path, base: Path, config: AdaptConfig, seed: int = 1) -> Path:
    """Write a run of an adapter on the model in `base`."""
    model, tokenizer = load_model(base)
    save_tuned(folder, learn(adapt(model, config, tokenizer, seed), seed=seed, size=1.0), tokenizer, config, base)
    return folder


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> Path:
    """Return a folder with a model, an int8 copy of it, another model, and adapters of the first."""
    root, tokenizer = tmp_path_factory.mktemp("runs"), bpe()
    for name, seed in (("base", 5), ("other", 6)):
        model = network(vocab_size=tokenizer.vocab_size, seed=seed, hidden_size=64, spread=0.2)
        save_model(root / name, model, tokenizer)
    for name, config in CHOICES.items():
        tuned(root / name, root / "base", config)
    copy, _ = load_model(root / "base")
    header = quantize(copy, QuantConfig(method="int8"))
    save_quantized(root / "int8", copy, tokenizer, header, root / "base")
    return root


def hosts_of(root: Path, *adapters: str, runs: tuple[str, ...] = ("base",)):
    return open_hosts(ServeConfig(runs=[root / run for run in runs], adapters=adapters, device="cpu", slots=4))


def test_each_adapter_is_a_model_of_its_own_over_one_engine(runs):
    hosts = hosts_of(runs, f"style={runs / 'style'}", str(runs / "tone"), runs=("base", "other"))
    assert [host.name for host in hosts] == ["base", "base:style", "base:tone", "other"]
    assert len({host.thread for host in hosts[:3]}) == 1
    assert hosts[3].thread.engine.adapters == ()
    assert not list(all_detoured(hosts[0].model))
    assert hosts[0].model is not hosts[0].thread.engine.model
    shared = {parameter.data_ptr() for parameter in hosts[0].model.parameters()}
    assert shared < {parameter.data_ptr() for parameter in hosts[0].thread.engine.model.parameters()}
    assert hosts[1].card()["linnet"]["adapter"] == "style"
    assert hosts[1].card()["linnet"]["parameters"] > hosts[0].card()["linnet"]["parameters"]


@pytest.mark.parametrize("run", ["base", "int8"])
def test_what_is_asked_for_by_name_answers_and_none_is_mixed_up(runs, run):
    prompt, words = "the little bird", {}
    for name in (None, *CHOICES):
        if run == "base":
            model, tokenizer = load_model(runs / (name or "base"))  # folded
        else:
            hosts = {
                host.adapter: host for host in hosts_of(runs, str(runs / "style"), str(runs / "tone"), runs=(run,))
            }
            model, tokenizer = hosts[name].model, hosts[name].tokenizer
        words[name] = generate(model, tokenizer, [prompt], SamplingConfig(temperature=0, max_tokens=9))[0].text
    assert len(set(words.values())) == 3
    hosts = hosts_of(runs, str(runs / "style"), str(runs / "tone"), runs=(run,))
    cfg = ServeConfig(slots=4, queue=4)
    with TestClient(create_app(Service(cfg, hosts)), base_url="http://localhost") as client:
        assert [card["id"] for card in client.get("/v1/models").json()["data"]] == [run, f"{run}:style", f"{run}:tone"]
        for name in (None, "style", "tone", "style", None):
            model = run if name is None else f"{run}:{name}"
            body = {"model": model, "prompt": prompt, "max_tokens": 9, "temperature": 0}
            answer = client.post("/v1/completions", json=body).json()
            assert (answer["model"], answer["choices"][0]["text"]) == (model, words[name])
        vectors = {
            host.name: client.post("/v1/embeddings", json={"model": host.name, "input": prompt}).json()["data"][0]
            for host in hosts
        }
        assert len({tuple(vector["embedding"]) for vector in vectors.values()}) == 3
        assert client.get("/metrics").text.count("linnet_engine_slots{") == 1


def test_desks_of_one_engine_share_its_room(runs):
    service = Service(ServeConfig(slots=1, queue=1), hosts_of(runs, str(runs / "style")))
    with TestClient(create_app(service), base_url="http://localhost") as client:
        service.desks["base"].in_flight = 2
        body = {"model": "base:style", "prompt": "the", "max_tokens": 2}
        assert client.post("/v1/completions", json=body).status_code == 429
        service.desks["base"].in_flight = 0
        assert client.post("/v1/completions", json=body).status_code == 200


def test_what_does_not_fit_is_said(runs, tmp_path):
    tokenizer = bpe()
    tuned(tmp_path / "virtual", runs / "base", AdaptConfig(method="prompt", virtual_tokens=2))
    tuned(tmp_path / "packed", runs / "base", AdaptConfig(method="qlora", quantization="int8"))
    tuned(tmp_path / "again", tmp_path / "packed", CHOICES["style"])
    tuned(tmp_path / "foreign", runs / "other", CHOICES["style"])
    peft = tmp_path / "peft"
    save_tuned(peft, adapt(load_model(runs / "base")[0], CHOICES["style"]), tokenizer, CHOICES["style"], runs / "base")
    save_file(load_file(peft / "adapter_model.safetensors"), peft / "adapter_model.safetensors")
    shape = tuned(tmp_path / "shape", runs / "base", CHOICES["style"])
    said = json.loads((shape / "model.json").read_text())
    (shape / "model.json").write_text(json.dumps({**said, "num_layers": 1}))
    style = str(runs / "style")
    for words, run, expected in (
        ((str(tmp_path / "nothing"),), "base", "no model folder"),
        ((str(runs / "other"),), "base", "holds no adapter; a whole model is served as a run"),
        ((style, f"style={runs / 'tone'}"), "base", "style is there already"),
        ((f"a:b={style}",), "base", "a name has no colon"),
        ((str(tmp_path / "foreign"),), "base", "an adapter of other weights"),
        ((str(tmp_path / "virtual"),), "base", "virtual tokens stand before a whole batch"),
        ((str(tmp_path / "packed"),), "base", "its base is packed"),
        ((str(peft),), "base", "does not say how it was made"),
        ((str(shape),), "base", "not the architecture of"),
    ):
        with pytest.raises(BadInput, match=expected):
            hosts_of(runs, *words, runs=(run,))
    lr = tuned(tmp_path / "lr=1", runs / "base", CHOICES["style"])
    assert [host.name for host in hosts_of(runs, str(lr))] == ["base", "base:lr=1"]
    save_model(tmp_path / "base:lr=1", network(vocab_size=tokenizer.vocab_size), tokenizer)
    with pytest.raises(BadInput, match="two models would be called base:lr=1"):
        open_hosts(ServeConfig(runs=(runs / "base", tmp_path / "base:lr=1"), adapters=(str(lr),), device="cpu"))
    with pytest.raises(BadInput, match="has a packed base"):
        open_hosts(ServeConfig(runs=(tmp_path / "packed",), adapters=(str(tmp_path / "again"),), device="cpu"))


def test_the_reference_is_the_adapter_folded(runs):
    """What the tests above compare with is itself beside an independent sum: W + scale B A."""
    model, _ = load_model(runs / "base")
    adapted = learn(adapt(model, CHOICES["style"], seed=1), seed=1, size=1.0)
    whole, _ = load_model(runs / "style")
    ids = torch.tensor([[5, 6, 7]])
    with torch.no_grad():
        assert torch.allclose(fold(adapted)(ids), whole(ids), atol=1e-5)
