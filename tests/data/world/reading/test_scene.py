"""The scene: places, hands, troubles, promises."""

import pytest

from linnet.data.world.reading.scene import Person, Scene, Thing, Wrong


@pytest.fixture
def scene() -> Scene:
    tom, mira = Person("Tom"), Person("Mira")
    tom.enter("mill")
    mira.enter("mill")
    return Scene({"Tom": tom, "Mira": mira}, {"kite": Thing("kite", "red", owner=tom)}, named=[tom])


def category(function, *arguments) -> str:
    with pytest.raises(Wrong) as error:
        function(*arguments)
    return error.value.category


def test_who_moves_takes_along_what_is_held(scene):
    tom, mira, kite = scene.people["Tom"], scene.people["Mira"], scene.things["kite"]
    scene.hold(tom, kite)
    scene.move(tom, "hill")
    assert kite.place == "hill"
    assert category(scene.together, tom, mira) == "place"
    assert category(scene.move, tom, "hill") == "place"
    assert category(scene.holds, mira, kite) == "possession"
    assert category(scene.owns, mira, kite) == "possession"
    assert category(scene.accompanied, tom) == "place"


def test_a_promise_is_kept_by_holding(scene):
    kite = scene.things["kite"]
    scene.promises = {("debt", "Mira", "kite"), ("fetch", "Tom", "kite"), ("gift", "Mira", "kite")}
    scene.hold(scene.people["Mira"], kite)
    assert scene.promises == {("debt", "Mira", "kite"), ("fetch", "Tom", "kite")}
    scene.hold(scene.people["Tom"], kite)
    assert not scene.promises


def test_a_solved_trouble_makes_glad(scene):
    tom = scene.people["Tom"]
    scene.trouble("lost", tom, "kite")
    assert scene.troubled(tom)
    assert not scene.troubled(tom, "cold")
    scene.solve("lost", tom, "kite")
    assert not scene.troubled(tom)
    assert "Tom" in scene.glad


def test_memory(scene):
    scene.note("gave", "Tom", "Mira", "kite")
    assert scene.has("gave", "", "Mira", "kite")
    assert not scene.has("gave", "Mira", "", "kite")
    assert category(scene.remember, "gave", "Mira", "Tom", "kite") == "memory"


def test_nobody_goes_out_into_the_rain(scene):
    scene.promises.add(("rain",))
    assert category(scene.move, scene.people["Tom"], "hill") == "order"
