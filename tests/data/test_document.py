"""A document is a value."""

import dataclasses

import pytest

from linnet.data.document import Document


def test_a_document_is_whole_unless_said_and_cannot_be_changed():
    document = Document("text", "here")
    assert not document.continues
    with pytest.raises(dataclasses.FrozenInstanceError):
        document.text = "other"
