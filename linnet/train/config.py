"""The choices of a training: optimizer and schedule; no torch here, since `--help` reads it."""

from typing import Literal

from pydantic import Field

from linnet.core.config import Config


class OptimizerConfig(Config):
    """How weights follow gradients."""

    kind: Literal["muon", "adamw"] = "muon"
    """Muon for the matrices of the blocks and AdamW for the rest, or AdamW for everything."""
    matrix_lr: float = Field(default=0.02, gt=0)
    """Peak learning rate of Muon."""
    lr: float = Field(default=1e-3, gt=0)
    """Peak learning rate of AdamW: of everything with adamw, of gains, biases and mixes with muon."""
    embedding_lr: float = Field(default=0.1, gt=0)
    """With muon: peak learning rate of the embedding tables."""
    head_lr: float = Field(default=0.01, gt=0)
    """With muon: peak learning rate of the output head."""
    momentum: float = Field(default=0.95, ge=0, lt=1)
    """Momentum of Muon."""
    beta1: float = Field(default=0.9, ge=0, lt=1)
    """Decay of AdamW's mean of gradients."""
    beta2: float = Field(default=0.95, ge=0, lt=1)
    """Decay of AdamW's mean of squared gradients."""
    epsilon: float = Field(default=1e-8, gt=0)
    """Added to AdamW's denominator."""
    weight_decay: float = Field(default=0.1, ge=0)
    """Decoupled weight decay of the matrices; embeddings, gains and biases are not decayed."""


class ScheduleConfig(Config):
    """How the learning rate rises and falls."""

    kind: Literal["trapezoid", "cosine", "linear", "constant"] = "trapezoid"
    """Flat then a straight fall (trapezoid), half a cosine, a straight fall from the warm-up on, or flat."""
    warmup: int = Field(default=0, ge=0)
    """Steps of straight rise from zero."""
    cooldown: float = Field(default=0.5, ge=0, le=1)
    """Share of all steps in the fall of a trapezoid."""
    final: float = Field(default=0.05, ge=0, le=1)
    """Factor at the last step."""
