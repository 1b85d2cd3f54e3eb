"""Linnet's own networks as subjects, by their kind: decoders, encoder-decoders, encoders, classifiers."""

from pathlib import Path

from linnet.artifacts import kind_of, load_network
from linnet.core.device import pick_device
from linnet.core.errors import BadInput
from linnet.core.files import read_json
from linnet.model.config import ModelConfig
from linnet.model.decoder import Decoder
from linnet.model.encoder import Encoder
from linnet.model.encoder_decoder import EncoderDecoder
from linnet.model.network import Network
from linnet.prove import ours
from linnet.prove.ours_encoder import reading_subject
from linnet.prove.ours_two_sides import two_sided_subject
from linnet.prove.subject import Subject


def folder_subject(folder: Path, device: str = "auto") -> Subject:
    """Return the model of a linnet folder with its tokenizer, data handling and training; raises BadInput."""
    config = ModelConfig.build(read_json(folder / "model.json"), where=folder / "model.json")
    if config.kind == "decoder" and config.pooling == "none":
        return ours.folder_subject(folder, device)
    if config.kind == "encoder" and config.pooling == "none" and config.output_size is not None:
        raise BadInput(
            f"{folder}: {kind_of(config)}; encoders, classifiers, encoder-decoders and decoders can be proved"
        )
    model, tokenizer = load_network(folder, pick_device(device))
    chosen = ours.plain_json(folder / "config.json")
    training = ours.training_config(chosen, folder)
    if isinstance(model, EncoderDecoder):
        return two_sided_subject(model, str(folder), tokenizer, training)
    return reading_subject(model, str(folder), tokenizer, training, share=chosen.get("mask_share", 0.15))


def network_subject(model: Network, name: str, trained: bool) -> Subject:
    """Return a network as a subject, without data and training; one not `trained` yet is to begin at ln V itself."""
    if isinstance(model, EncoderDecoder):
        return two_sided_subject(model, name, trained=trained)
    if isinstance(model, Encoder) or model.config.pooling != "none":
        return reading_subject(model, name, trained=trained)
    assert isinstance(model, Decoder)
    return ours.decoder_subject(model, name, fresh=None if trained else lambda: model)
