"""Templates taken apart: slots, forms, second mentions."""

from linnet.data.world.templates import Slot, parts, slots


def test_a_worked_example():
    assert parts("{A} put {T} down and forgot {T}.") == (
        Slot("A", "", False),
        " put ",
        Slot("T", "", False),
        " down and forgot ",
        Slot("T", "", True),
        ".",
    )


def test_a_name_is_never_a_second_mention():
    found = slots("So {A name} gave {T} to {B name}, and {B name} gave {U} to {A name}.")
    assert not any(slot.again for slot in found)


def test_a_pronoun_follows_a_name():
    assert slots("{A new} held {A his} hat.") == (Slot("A", "new", False), Slot("A", "his", True))


def test_text_is_kept():
    template = '"{C name} is {P at}," {B said}.'
    assert "".join(p if isinstance(p, str) else "" for p in parts(template)) == '" is ," .'
