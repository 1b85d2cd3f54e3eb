"""Linnet: the whole life of a language model, on your own machine, with every step checked."""

__version__ = "0.1.0"
