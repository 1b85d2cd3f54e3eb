"""Writing in turns: a person types, the model goes on, the text grows; the oldest part leaves the model's sight."""

from collections.abc import Iterator

from linnet.infer.config import SamplingConfig
from linnet.infer.decode import Prompt, stream
from linnet.model.decoder import Decoder
from linnet.text.tokenizer import Tokenizer


class Turns:
    """One text, written by two; it starts anew when the model ends the document.

    Each turn has a seed of its own, so that going on from the same text twice gives two texts.
    """

    def __init__(self, model: Decoder, tokenizer: Tokenizer, sampling: SamplingConfig, begin: bool = True):
        self.model, self.tokenizer, self.sampling, self.begin = model, tokenizer, sampling, begin
        self.text = ""
        self._turn = 0
        context = model.config.context_length
        self._room = max(1, context - min(sampling.max_tokens, context // 2))  # tokens of the text that are read

    def write(self, typed: str) -> Iterator[str]:
        """Add what was typed, and yield the pieces that the model adds."""
        self.text += typed
        sampling = self.sampling.but(seed=(self.sampling.seed + self._turn) % 2**32)
        self._turn += 1
        ended = False
        for event in stream(self.model, self.tokenizer, [self._prompt()], sampling, begin=self.begin):
            self.text += event.text
            ended = event.finish_reason == "stop"
            yield event.text
        if ended:
            self.text = ""

    def _prompt(self) -> Prompt:
        ids = self.tokenizer.encode(self.text)
        return self.text if len(ids) < self._room else ids[-self._room :]
