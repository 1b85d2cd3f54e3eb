"""GPT-2 as an ONNX graph of onnxruntime's fused operators, for its generator: what its model builder does not write.

B texts, T new tokens, D hidden. https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md says what
the operators of the domain com.microsoft do.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file

from linnet.core.errors import BadInput

FUSED = "com.microsoft"


def write(files: Path, to: Path) -> None:
    """Write the GPT-2 of a transformers folder as model.onnx with its genai_config.json; BadInput for another kind."""
    config = json.loads((files / "config.json").read_text())
    if config["activation_function"] != "gelu_new":
        raise BadInput(f"{files}: activation_function is {config['activation_function']!r}, and gelu_new is written")
    import onnx  # pyrefly: ignore[missing-import]

    weights: dict[str, np.ndarray] = {}
    for path in sorted(files.glob("*.safetensors")):
        weights |= load_file(path)
    to.mkdir()
    model = Graph(config, weights).model()
    onnx.save(model, to / "model.onnx", save_as_external_data=True, location="model.onnx.data", size_threshold=1024)
    (to / "genai_config.json").write_text(json.dumps(_settings(config), indent=1))


def _settings(config: dict[str, Any]) -> dict[str, Any]:
    """Return what the generator wants to know: names, sizes, and that keys and values stay in one buffer."""
    inputs = {name: name for name in ("input_ids", "attention_mask", "position_ids")}
    decoder = {
        "session_options": {"log_id": "gpt2", "provider_options": []},
        "filename": "model.onnx",
        "head_size": config["n_embd"] // config["n_head"],
        "hidden_size": config["n_embd"],
        "inputs": {**inputs, "past_key_names": "past.%d.key", "past_value_names": "past.%d.value"},
        "outputs": {
            "logits": "logits",
            "present_key_names": "present.%d.key",
            "present_value_names": "present.%d.value",
        },
        "num_attention_heads": config["n_head"],
        "num_hidden_layers": config["n_layer"],
        "num_key_value_heads": config["n_head"],
    }
    model = {
        "type": "decoder",  # a text model like any other; "gpt2" would be an older file with one tensor a layer
        "context_length": config["n_positions"],
        "vocab_size": config["vocab_size"],
        "bos_token_id": 0,
        "eos_token_id": 0,
        "pad_token_id": 0,
        "decoder": decoder,
    }
    return {"model": model, "search": {"max_length": config["n_positions"], "past_present_share_buffer": True}}


class Graph:
    """The nodes and weights of one GPT-2, in order."""

    def __init__(self, config: dict[str, Any], weights: dict[str, np.ndarray]):
        """Start empty, from the fields of a config.json and the tensors by transformers' names."""
        self._config = config
        self._weights = {name.removeprefix("transformer."): tensor for name, tensor in weights.items()}
        self._nodes: list[Any] = []
        self._tensors: list[Any] = []

    def _node(self, kind: str, inputs: list[str], outputs: list[str], domain: str = "", **settings: Any) -> str:
        """Add an operator; return the name of its first output."""
        from onnx import helper  # pyrefly: ignore[missing-import]

        name = f"{outputs[0]}/{kind}"  # quantization asks for a name of each
        self._nodes.append(helper.make_node(kind, inputs, outputs, name=name, domain=domain, **settings))
        return outputs[0]

    def _tensor(self, name: str, values: np.ndarray) -> str:
        from onnx import numpy_helper  # pyrefly: ignore[missing-import]

        self._tensors.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def _weight(self, name: str) -> str:
        return self._tensor(name, self._weights[name])

    def _product(self, x: str, name: str, biased: bool = False) -> str:
        """Multiply by a matrix, which GPT-2 keeps as [in, out]; the bias waits for a fused operator unless told."""
        found = self._node("MatMul", [x, self._weight(f"{name}.weight")], [f"{name}/product"])
        return self._node("Add", [found, self._weight(f"{name}.bias")], [f"{name}/sum"]) if biased else found

    def _norm(self, residual: str, added: tuple[str, str] | None, name: str) -> tuple[str, str]:
        """Add a product and its bias to the residual and normalize it; return (normalized, residual)."""
        gain, bias = self._weight(f"{name}.weight"), self._weight(f"{name}.bias")
        epsilon = self._config["layer_norm_epsilon"]
        if added is None:
            return self._node("LayerNormalization", [residual, gain, bias], [name], epsilon=epsilon), residual
        inputs, outputs = [residual, added[0], gain, bias, self._weight(added[1])], [name, "", "", f"{name}/residual"]
        return self._node("SkipLayerNormalization", inputs, outputs, FUSED, epsilon=epsilon), outputs[3]

    def _lengths(self) -> list[str]:
        """Say, from the mask [B, all], which place of each text is the last [B], and how many places there are."""
        one, zero = self._tensor("one", np.array([1])), self._tensor("zero", np.array(0))
        whole = self._node("ReduceSum", ["attention_mask", one], ["lengths"], keepdims=0)
        last = self._node("Cast", [self._node("Sub", [whole, one], ["last_64"])], ["last"], to=6)  # 6 is int32
        size = self._node("Shape", ["attention_mask"], ["mask_shape"], start=1)
        return [last, self._node("Cast", [self._node("Gather", [size, zero], ["total_64"])], ["total"], to=6)]

    def _layer(self, number: int, x: str, added: tuple[str, str] | None, lengths: list[str]) -> tuple[str, str, str]:
        """Add a block; return (residual, product that is not yet added to it, name of that product's bias)."""
        block, heads = f"h.{number}", self._config["n_head"]
        normal, x = self._norm(x, added, f"{block}.ln_1")
        three = self._product(normal, f"{block}.attn.c_attn", biased=True)
        seen = self._node(
            "GroupQueryAttention",
            [three, "", "", f"past.{number}.key", f"past.{number}.value", *lengths],
            [f"{block}.attn", f"present.{number}.key", f"present.{number}.value"],
            FUSED,
            num_heads=heads,
            kv_num_heads=heads,
        )
        added = self._product(seen, f"{block}.attn.c_proj"), f"{block}.attn.c_proj.bias"
        normal, x = self._norm(x, added, f"{block}.ln_2")
        wide = [self._product(normal, f"{block}.mlp.c_fc"), self._weight(f"{block}.mlp.c_fc.bias")]
        active = self._node("FastGelu", wide, [f"{block}.mlp"], FUSED)
        return x, self._product(active, f"{block}.mlp.c_proj"), f"{block}.mlp.c_proj.bias"

    def model(self) -> Any:
        """Return the whole: ids [B, T], mask, positions, past in; the last logits [B, 1, V] and present out."""
        from onnx import TensorProto, helper  # pyrefly: ignore[missing-import]

        lengths = self._lengths()
        words = self._node("Gather", [self._weight("wte.weight"), "input_ids"], ["words"])
        places = self._node("Gather", [self._weight("wpe.weight"), "position_ids"], ["places"])
        x, added = self._node("Add", [words, places], ["embedded"]), None
        for number in range(self._config["n_layer"]):
            x, product, bias = self._layer(number, x, added, lengths)
            added = product, bias
        normal, _ = self._norm(x, added, "ln_f")
        last = self._node("Gather", [normal, self._tensor("end", np.array([-1]))], ["ending"], axis=1)
        head = self._tensor("head", self._weights.get("lm_head.weight", self._weights["wte.weight"]).T)
        self._node("MatMul", [last, head], ["logits"])

        config, value = self._config, helper.make_tensor_value_info
        kept = ["B", config["n_head"], "P", config["n_embd"] // config["n_head"]]
        both = [f"{number}.{part}" for number in range(config["n_layer"]) for part in ("key", "value")]
        inputs = [value(name, TensorProto.INT64, ["B", "T"]) for name in ("input_ids", "position_ids")]
        inputs.append(value("attention_mask", TensorProto.INT64, ["B", "all"]))
        inputs += [value(f"past.{name}", TensorProto.FLOAT, kept) for name in both]
        outputs = [value("logits", TensorProto.FLOAT, ["B", 1, config["vocab_size"]])]
        outputs += [value(f"present.{name}", TensorProto.FLOAT, kept) for name in both]
        graph = helper.make_graph(self._nodes, "gpt2", inputs, outputs, self._tensors)
        opsets = [helper.make_opsetid("", 21), helper.make_opsetid(FUSED, 1)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=10)
