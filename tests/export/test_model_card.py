"""The model card: licence, origin and figures with their protocols, as far as a run says them."""

import json

import pytest

from linnet.export.model_card import card, license_of
from linnet.model.config import ModelConfig

PROOF = {"reader": "transformers 5", "network": {"max_logit_difference": 1e-6}, "protocol": "4 rows"}


def test_a_run_with_all_its_files(tmp_path):
    record = {
        **{"recipe": "sft", "seed": 3, "started": "today", "code": {"linnet": "0.1", "commit": "abc"}},
        "parents": {"/home/me/runs/base": "f" * 64},
    }
    files = {
        "record.json": record,
        "result.json": {"numbers": {"steps": 8, "held_out_loss": 1.23456789, "held_out_protocol": "77 tokens"}},
        "evaluation.json": {"held_out": {"bits_per_byte": 0.5, "protocol": "windows of 64"}},
        "chat_template.jinja": "x",
    }
    for name, values in files.items():
        (tmp_path / name).write_text(json.dumps(values))
    text = card(tmp_path, "mine", ModelConfig(), "llama", "apache-2.0", PROOF)
    assert text.startswith("---\nlicense: apache-2.0\nlibrary_name: transformers\npipeline_tag: text-generation\n")
    for words in (
        "# mine\n",
        "was taught to chat; the chat template is in the folder",
        "apply_chat_template",
        "stage: `sft`, seed 3",
        "from: `base` (sha256 ffffffffffffffff)",
        "commit abc",
        "Held-out text (windows of 64)",
        "| bits_per_byte | 0.5 |",
        "| held_out_loss | 1.23457 |",
        "| held_out_protocol | 77 tokens |",
        '"max_logit_difference": 1e-06',
        "Protocol: 4 rows.",
    ):
        assert words in text
    assert "/home/me" not in text  # where it stood is nobody's business


def test_a_bare_folder_says_what_it_knows(tmp_path):
    text = card(tmp_path, "mine", ModelConfig(), "llama", "unknown", PROOF)
    assert "was not taught to chat" in text
    assert "Not stated." in text
    assert "Figures" not in text
    assert "comes from" not in text


@pytest.mark.parametrize(
    ("readme", "found"),
    [
        ("---\nlanguage: en\nlicense: mit\n---\n# A model\n", "mit"),
        ("---\nlicense: 'llama2'\n---\n", "llama2"),
        ("---\nlanguage: en\n---\nlicense: mit\n", None),
        ("license: mit\n", None),
        ("", None),
    ],
)
def test_the_licence_of_a_source_is_that_of_its_front_matter(readme, found, tmp_path):
    assert license_of(tmp_path) is None
    (tmp_path / "README.md").write_text(readme)
    assert license_of(tmp_path) == found
