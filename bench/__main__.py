"""Run one measurement by name: `python -m bench kill --kills 100`."""

import importlib
import sys

NAMES = {
    "life": "what each stage of the quick start gained, over several seeds",
    "engine": "tokens/s of the serving engine, reading and writing, beside llama.cpp, onnxruntime, transformers",
    "guesses": "speculative decoding by look-up in the engine: tokens a pass, and time beside plain decoding",
    "kill": "kill -9 at random moments; the final weights must be those of the run that was never stopped",
    "peft": "one LoRA trained twice, here and by peft on the exported model: the losses must be the same",
    "plan": "what `linnet plan` says of memory and time, beside what the trainings then take under a cap",
    "quantize": "int8 and int4 copies beside full precision: bytes, speed, what is lost of held-out text",
    "serve": "the server under 200 clients, some killed, slow or talking nonsense; SIGTERM; what HTTP costs the engine",
    "retrieve": "recall by words, meaning and both; right sources, false answers, false refusals",
    "shakespeare": "time to a validation loss on tinyshakespeare, beside nanoGPT in turn",
    "speed": "training speed as a share of the machine's matmul limit, beside nanoGPT and transformers",
}


def main() -> int:
    """Dispatch to bench.NAME.main(arguments)."""
    if len(sys.argv) < 2 or sys.argv[1] not in NAMES:
        for name, line in NAMES.items():
            print(f"python -m bench {name:12} {line}")
        return 0 if len(sys.argv) < 2 else 2
    importlib.import_module(f"bench.{sys.argv[1]}").main(sys.argv[2:])
    return 0


if __name__ == "__main__":
    sys.exit(main())
