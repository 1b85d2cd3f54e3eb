"""Pages of WikiText are put together, printed as lm-eval prints them, and counted by word and by byte."""

import pytest

from linnet.tasks.language import STORIES, WIKITEXT, as_printed, page, pages, size

LINES = [
    "",
    " = Du Fu = \n",
    "",
    " He wrote 1 @,@ 500 poems . \n",
    " = = Early life = = \n",
    " Born .\n",
    " = Emma = \n",
    "",
]


def test_lines_become_pages_at_each_title():
    found = [row["page"] for row in pages({"text": line} for line in LINES)]
    assert found == [
        " \n = Du Fu = \n \n He wrote 1 @,@ 500 poems . \n = = Early life = = \n Born .\n",
        " = Emma = \n \n",
    ]
    assert list(pages(iter([{"page": "whole"}]))) == [{"page": "whole"}]


@pytest.mark.parametrize(
    ("tokens", "printed"),
    [
        ("1 @,@ 500 well @-@ known , 2 @.@ 5 .", "1,500 well-known, 2.5 ."),
        ('( as it is ) he said : " yes ! " then', '(as it is) he said: "yes!" then'),
        (" = = Life = = \n It 's N miles ° C\n", " == Life ==\nIt's 1 miles°C\n"),
        ("[ a ] { b } ' c '", "[a] {b} 'c'"),
    ],
)
def test_pages_are_printed_without_their_tokenisation(tokens, printed):
    assert as_printed(tokens) == printed


def test_words_and_bytes_are_those_of_the_page_before_it_is_printed():
    asked = page({"page": " = Émile = \n he came ."})
    assert asked.answer != asked.row["page"]
    assert size(asked) == (7, 23)
    assert size(STORIES.example({"text": "a b"})) == (2, 3)


def test_only_the_text_itself_gets_full_marks():
    asked = page({"page": "he came"})
    assert WIKITEXT.grade(asked, "he came").correct
    assert WIKITEXT.grade(asked, "she came").category == "other text"


def test_the_published_test_split_has_62_pages(shared_data):
    from linnet.tasks import rows

    found = list(rows.read(WIKITEXT, shared_data / "wikitext-2", "test"))
    assert len(found) == 62
    assert sum(len(row["page"].split()) for row in found) == 241_211
