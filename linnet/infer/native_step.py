"""A network packed for the compiled pass, reading new tokens of the rows of a slot cache.

N rows, T tokens of the longest, n tokens in all, V vocabulary, D hidden size. What the pass cannot do is said by
`why_not`, and the caller lets the network itself read.
"""

import weakref
from array import array
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from linnet.adapt.quant import PackedLinear
from linnet.adapt.whole_numbers import WholeNumbers
from linnet.infer import native
from linnet.model.decoder import Decoder
from linnet.model.mlp import MLP
from linnet.model.norm import LayerNorm
from linnet.model.slot_cache import SlotCache
from linnet.model.stack import Block, scaled

LARGEST, MIDDLE, GROUP = 127, 128, 16


class NativeStep:
    """The compiled pass over one network and one cache; holds a packed copy of its matrices."""

    def __init__(self, model: Decoder, cache: SlotCache):
        """Pack the network; `why_not` must have been empty. Raises BadInput where nothing can be compiled."""
        self._library = native.library()
        self.model, self.cache = model, cache
        self._kept: list[Tensor] = []  # what the library holds addresses of
        self._turns = (torch.empty(0), torch.empty(0))  # cos and sin of the places that were asked for so far
        config = model.config
        self._tables = {int(layer): table for layer, table in model.value_embeddings.items()}
        self._blocks = (native.Block * config.num_layers)(*map(self._block, range(config.num_layers)))
        norm = self._vectors(model.norm)
        self._net = native.Net(
            layers=config.num_layers,
            hidden=config.hidden_size,
            heads=config.num_heads,
            kv_heads=config.kv_heads,
            width=config.head_width,
            mlp=config.mlp_width,
            layer_norm=isinstance(model.norm, LayerNorm),
            qk_norm=config.qk_norm,
            rotary=config.positions == "rotary",
            mixes=config.residual_mix,
            activation=native.ACTIVATIONS.index(config.activation),
            sink_tokens=config.sink_tokens,
            epsilon=config.norm_epsilon,
            scale=config.attention_scale or config.head_width**-0.5,
            blocks=self._blocks,
            norm=norm[0],
            shift=norm[1],
            head=self._linear(model.head),
        )
        weakref.finalize(self, self._library.linnet_close, self._net)  # its buffers are its own

    def read(self, ids: Sequence[Sequence[int]], counts: Sequence[int], every: bool = False) -> Tensor:
        """Read the first `counts` of each row's ids [N, T], for the rows that the cache was told to `take`.

        Return the logits [N, V] after the last one of each row (zeros for a row that reads nothing), or [N, T, V].
        """
        starts, longest = self.cache.starts, len(ids[0])
        runs, after, flat, places, rows = array("q"), array("q"), list[int](), list[int](), list[int]()
        for place, (count, row, start) in enumerate(zip(counts, self.cache.taken_rows, starts, strict=True)):
            if count:
                runs.extend((row, start, count, len(flat)))
                flat.extend(ids[place][:count])
                places.extend(range(start, start + count))
                after.extend(range(len(flat) - count, len(flat)) if every else (len(flat) - 1,))
                rows.extend(range(place * longest, place * longest + count) if every else (place,))
        logits = self._pass(runs, flat, places, after)
        shape = (len(ids), longest) if every else (len(ids),)
        if len(rows) < len(ids) * (longest if every else 1):
            whole = logits.new_zeros(len(ids) * (longest if every else 1), logits.shape[1])
            whole[rows] = logits
            logits = whole
        return logits.view(*shape, -1)

    def _pass(self, runs: array, flat: list[int], places: list[int], after: array) -> Tensor:
        model, config = self.model, self.model.config
        ids, positions = torch.tensor([flat]), torch.tensor([places])
        x = model.entered(ids, positions, *self._before(runs, flat)).float()[0]
        x = x.contiguous() if x.shape[1] % GROUP == 0 else F.pad(x, (0, -x.shape[1] % GROUP))
        angles = self._angles(max(places) + 1)
        turns = [part.index_select(0, positions[0]) for part in angles] if angles is not None else None
        values = {layer: table(ids[0]).float().contiguous() for layer, table in self._tables.items()}
        of_layers = array("Q", bytes(8 * config.num_layers))
        for layer, value in values.items():
            of_layers[layer] = value.data_ptr()
        logits = torch.empty(len(after), -(-config.vocab_size // GROUP) * GROUP)
        memory = self.cache.memory_of_all
        asked = native.Pass(
            runs=len(runs) // 4,
            tokens=len(flat),
            wanted=len(after),
            threads=torch.get_num_threads(),
            run=runs.buffer_info()[0],
            x=x.data_ptr(),
            cos=None if turns is None else turns[0].data_ptr(),
            sin=None if turns is None else turns[1].data_ptr(),
            values=of_layers.buffer_info()[0],
            after=after.buffer_info()[0],
            logits=logits.data_ptr(),
            cache=memory.data_ptr(),
            rows=self.cache.rows,
            capacity=self.cache.capacity,
            layer_step=memory.stride(0),
            half=memory.dtype == torch.bfloat16,
        )
        if self._library.linnet_pass(self._net, asked):
            raise MemoryError(f"no memory to read {len(flat)} tokens")
        return scaled(logits[:, : config.vocab_size], config)

    def _before(self, runs: array, flat: list[int]) -> tuple[Tensor, Tensor]:
        """Return the ids one and two places before each token, [1, n]; they are asked for by n-grams alone."""
        if self.model.ngrams is None:
            return torch.empty(0), torch.empty(0)
        tails = dict(zip(self.cache.taken_rows, self.cache.tails, strict=True))
        one, two = list[int](), list[int]()
        for place in range(0, len(runs), 4):
            row, _, count, first = runs[place : place + 4]
            line = [*tails[row], *flat[first : first + count]]
            one += line[1:-1]
            two += line[:-2]
        return torch.tensor([one]), torch.tensor([two])

    def _angles(self, places: int) -> tuple[Tensor, Tensor] | None:
        """Return cos and sin [places or more, d / 2], worked out once for twice as many as are asked for."""
        if self.model.config.positions != "rotary":
            return None
        if len(self._turns[0]) < places:
            found = self.model.angles(torch.arange(2 * places)[None])
            assert found is not None
            self._turns = (found[0][0, 0].float().contiguous(), found[1][0, 0].float().contiguous())
        return self._turns

    def _block(self, layer: int) -> native.Block:
        block, config = self.model.blocks[layer], self.model.config
        assert isinstance(block, Block)
        assert isinstance(block.mlp, MLP)
        attention, mlp = block.attention, block.mlp
        first, second = self._vectors(block.attention_norm), self._vectors(block.mlp_norm)
        gate = attention.value_gate
        return native.Block(
            query=self._linear(attention.query),
            key=self._linear(attention.key),
            value=self._linear(attention.value),
            output=self._linear(attention.output),
            up=self._linear(mlp.up),
            gate=native.Linear() if mlp.gate is None else self._linear(mlp.gate),
            down=self._linear(mlp.down),
            norm1=first[0],
            shift1=first[1],
            norm2=second[0],
            shift2=second[1],
            query_gain=self._numbers(attention.query_gain),
            key_gain=self._numbers(attention.key_gain),
            sink_logits=self._numbers(attention.sink_logits),
            value_gate=None if gate is None else self._numbers(gate.weight),
            mix=(1, 0) if block.mix is None else tuple(block.mix.tolist()),
            window=config.layer_window(layer) or 0,
        )

    def _vectors(self, norm: nn.Module) -> tuple[int | None, int | None]:
        own = dict(norm.named_parameters())
        return self._numbers(own.get("weight")), self._numbers(own.get("bias"))

    def _numbers(self, tensor: Tensor | None, outputs: int = 0) -> int | None:
        """Keep a tensor in fp32, its rows padded with zeros for packed outputs; return its address."""
        if tensor is None:
            return None
        more = -outputs % GROUP if outputs else 0
        return self._keep(F.pad(tensor.detach().float(), (0, more)))

    def _keep(self, tensor: Tensor) -> int:
        self._kept.append(tensor.contiguous())
        return self._kept[-1].data_ptr()

    def _linear(self, layer: nn.Module) -> native.Linear:
        """Pack a layer: [O / 16][I / s][16][s], with s numbers of a row side by side."""
        assert isinstance(layer, PackedLinear | nn.Linear)
        bias, outputs = layer.bias, layer.out_features
        made = native.Linear(inputs=layer.in_features, outputs=outputs)
        made.bias = self._numbers(bias, outputs)
        if isinstance(layer, PackedLinear):
            self._whole_numbers(made, layer)
        elif layer.weight.dtype == torch.bfloat16:
            made.kind, made.weight = native.BFLOAT16, self._keep(_packed(layer.weight.detach().view(torch.int16), 2))
        else:
            made.kind, made.weight = native.FLOAT32, self._keep(_packed(layer.weight.detach().float(), 1))
        return made

    def _whole_numbers(self, made: native.Linear, layer: PackedLinear) -> None:
        matrix, outputs = layer.matrix, layer.out_features
        assert isinstance(matrix, WholeNumbers)
        codes, grid = matrix.plain_codes(), matrix.grid()
        if matrix.bits == 4:
            codes = _packed(codes, 2)
            made.kind, made.group = native.WIDENED4, matrix.group
            made.weight = self._keep(codes[..., 0] | codes[..., 1] << 4)
            made.scale = self._keep(_packed(grid.scale, 1))
            made.shift = self._keep(_packed(-grid.zero * grid.scale, 1))
        elif layer.rounds_inputs:
            made.kind, made.weight = native.INT8, self._keep(_packed(codes, 4))
            made.scale = self._numbers(grid.scale.flatten() / LARGEST, outputs)
            made.shift = self._keep(F.pad(codes.sum(1, dtype=torch.int32) * MIDDLE, (0, -outputs % GROUP)))
        else:
            made.kind, made.weight = native.WIDENED8, self._keep(_packed(codes, 1))
            made.scale = self._numbers(grid.scale.flatten(), outputs)


def _packed(matrix: Tensor, side: int) -> Tensor:
    """Return a matrix [O, I] as [O / 16, I / side, 16, side], with zeros where it ends."""
    padded = F.pad(matrix, (0, -matrix.shape[1] % side, 0, -matrix.shape[0] % GROUP))
    return padded.view(len(padded) // GROUP, GROUP, -1, side).transpose(1, 2).contiguous()


def why_not(model: Decoder, cache: SlotCache) -> str:
    """Say why the compiled pass cannot read for a network; empty if it can."""
    config = model.config
    memory = cache.memory_of_all
    if memory.device.type != "cpu" or memory.dtype not in (torch.float32, torch.bfloat16):
        return f"the cache is in {memory.dtype} on {memory.device.type}, not in fp32 or bf16 on a CPU"
    unknown = {
        "a prefix": model.prefix is not None,
        "an encoder": config.kind != "decoder",
        "norms after the sums": config.post_norm,
        "relative positions": config.positions == "relative",
        "a mixture of experts": config.num_experts > 0,
        "scaled last states": config.logit_scale != 1,
        "a head of another size": config.output_size is not None,
    }
    for what, there in unknown.items():
        if there:
            return f"the compiled pass does not know {what}"
    for name, layer in model.named_modules():
        if not name.startswith(("blocks", "head")) or name.endswith("value_gate"):
            continue
        if isinstance(layer, PackedLinear):
            if reason := _why_not_packed(layer):
                return f"{name}: {reason}"
        elif name.rpartition(".")[2] in LINEARS and type(layer) is not nn.Linear:
            return f"{name}: is no plain layer (an adapter?)"
    return ""


LINEARS = ("query", "key", "value", "output", "up", "gate", "down", "head")


def _why_not_packed(layer: PackedLinear) -> str:
    matrix = layer.matrix
    if not isinstance(matrix, WholeNumbers):
        return "packed in another way than in whole numbers"
    if layer.rounds_inputs and layer.kernel is None:
        return "rounds what enters, but its products were asked for in full numbers"
    if matrix.bits == 4 and (layer.in_features % matrix.group or matrix.group % 2):
        return f"has a short last group ({layer.in_features} inputs in groups of {matrix.group})"
    return ""
