"""`linnet world`: shows every kind, exports data sets, checks stories."""

import json

import pytest

from linnet.core.errors import BadInput
from linnet.data.world import KINDS, check_story, documents
from linnet.recipes.world import WorldConfig, check, main


def test_samples_of_each_kind_are_printed(capsys):
    assert main(WorldConfig(count=1)) is None
    shown = capsys.readouterr().out
    assert all(f"== {kind}\n" in shown for kind in (*KINDS, "mixture"))


def test_samples_as_json():
    found = main(WorldConfig(kind="sums", split="test", count=3, seed=1, json_output=True))
    assert isinstance(found, dict)
    assert [row.keys() for row in found["sums"]] == [{"question", "answer"}] * 3


def test_one_kind_is_exported_to_the_folder_and_all_to_folders_in_it(tmp_path):
    assert main(WorldConfig(kind="cloze", count=2, out=tmp_path / "one")) == tmp_path / "one"
    assert len((tmp_path / "one" / "test.jsonl").read_text().splitlines()) == 2
    main(WorldConfig(count=1, out=tmp_path / "all"))
    assert {folder.name for folder in (tmp_path / "all").iterdir()} == {*KINDS, "mixture"}


@pytest.mark.slow
def test_stories_are_checked(tmp_path):
    good = list(documents("test", 0, 3, kinds=("stories",)))
    path = tmp_path / "stories.jsonl"
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in [*good, "One day."]))
    found = main(WorldConfig(check=path))
    assert isinstance(found, dict)
    assert (found["stories"], found["consistent"], found["share"]) == (4, 3, 0.75)
    assert found["first grammar"] == 1
    assert found["problem 1"].startswith("story 4: grammar: ")


def test_only_the_first_problems_are_listed():
    assert len([key for key in check(["Hello."] * 50) if key.startswith("problem")]) == 20
    assert not check_story("Hello.").ok


def test_unknown_kind():
    with pytest.raises(BadInput, match='Did you mean "stories"'):
        main(WorldConfig(kind="story"))
