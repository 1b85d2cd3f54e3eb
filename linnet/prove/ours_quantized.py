"""Quantized copies of linnet's own as subjects: the network as its weights are kept, beside what it was made from.

Products are in full numbers here and nothing that enters them is rounded: rounded inputs turn a last bit into a whole
step, by which equal ways of reading would differ. What the kernels of a machine cost, `linnet quantize` measures.
"""

import tempfile
from dataclasses import replace
from pathlib import Path

from torch import Tensor, nn

from linnet.adapt.kernels import plain_products
from linnet.adapt.quantize import Header, packed_modules
from linnet.artifacts import find_source, load_model, load_network, quantized_header, save_quantized
from linnet.core.console import logger
from linnet.model.decoder import Decoder
from linnet.prove.parts import Quantized
from linnet.prove.subject import Subject
from linnet.text.tokenizer import Tokenizer


def with_quantized(subject: Subject, folder: Path, tokenizer: Tokenizer) -> Subject:
    """Return the subject of a quantized run with what is to be proved of copies; others as they are."""
    header = quantized_header(folder)
    if header is None:
        return subject
    assert isinstance(subject.model, Decoder)
    plain_products(subject.model)
    return replace(
        subject,
        name=f"{subject.name} (quantized weights as they are kept)",
        tied=() if "head" in header.packed else subject.tied,
        reloaded=lambda: _reloaded(subject, folder, header, tokenizer),
        quantized=_copy(subject.model, folder, header),
    )


def _reloaded(subject: Subject, folder: Path, header: Header, tokenizer: Tokenizer) -> Subject:
    assert isinstance(subject.model, Decoder)
    with tempfile.TemporaryDirectory() as place:
        save_quantized(Path(place), subject.model, tokenizer, header, folder)
        again, _ = load_model(place, subject.device)
    plain_products(again)
    return replace(subject, model=again, logits=again)


def _copy(model: Decoder, folder: Path, header: Header) -> Quantized | None:
    source = find_source(folder)
    if source is None:
        logger.warning("%s: what it was made from is not there; the copy is not compared with it", folder)
        return None
    whole, _ = load_network(source)
    before = {name: p.detach() for name, p in whole.named_parameters() if p.ndim >= 2}
    converted: dict[str, Tensor] = {}
    bits: dict[str, int] = {}
    for name, module in packed_modules(model):
        if f"{name}.weight" in before:  # a tied head has no matrix of its own
            converted[f"{name}.weight"] = module.matrix.numbers()
            bits[f"{name}.weight"] = header.packed[name].bits
    exempt = tuple(name for name in header.left if name in before)
    sizes = {"bytes_before": _bytes(whole), "bytes_after": _bytes(model)}
    calibrated = frozenset(f"{name}.weight" for name in header.errors)
    fewest = min(bits.values(), default=8)
    return Quantized(fewest, converted, exempt, **sizes, before=before, bits_of=bits, calibrated=calibrated)


def _bytes(model: nn.Module) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in (*model.parameters(), *model.buffers()))
