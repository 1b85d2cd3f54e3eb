"""The words of the small world: names, things, places, animals, food, numbers."""

from typing import NamedTuple

# Many people and places: a writer that forgets who is there already meets the same name again, by chance, that seldom.
GIRLS = (
    "Mira", "Anna", "Lily", "Nora", "Ella", "Ruby", "Ida", "Maya", "Lucy", "Zoe", "Clara", "Emma", "Lena", "Tess",
    "Vera", "Eva", "Nina", "Sara", "Molly", "Greta", "Julia", "Laura", "Hanna", "Marta", "Paula", "Rosa", "Elsa",
    "Dora", "Flora", "Irma", "Jana", "Katie", "Lola", "Mina", "Olga", "Petra", "Rita", "Sofia", "Tilda", "Wanda",
    "Amy", "Becky", "Cora", "Daisy", "Edith", "Fanny", "Gina", "Helen", "Iris", "Jenny", "Kira", "Lisa", "Megan",
    "Nelly", "Olive", "Polly", "Sally", "Tina", "Ursula", "Yara",
)  # fmt: skip
BOYS = (
    "Tom", "Ben", "Max", "Leo", "Sam", "Finn", "Otto", "Paul", "Jack", "Noah", "Hugo", "Karl", "Emil", "Oscar",
    "Luke", "Theo", "Adam", "Felix", "Henry", "Peter", "Anton", "Bruno", "Carlo", "David", "Erik", "Fred", "Georg",
    "Hans", "Ivan", "Jonas", "Kurt", "Linus", "Marco", "Nils", "Oliver", "Philip", "Ralph", "Simon", "Tim", "Victor",
    "Walter", "Alex", "Boris", "Conrad", "Daniel", "Edgar", "Frank", "Gustav", "Harry", "Igor", "Jacob", "Kevin",
    "Louis", "Martin", "Nick", "Owen", "Robin", "Stefan", "Toby", "William",
)  # fmt: skip
NAMES = GIRLS + BOYS

COLOURS = ("red", "blue", "green", "yellow", "white", "black", "brown", "pink", "purple", "grey", "silver", "golden")
FUR = ("black", "white", "brown", "grey")

TOYS = (
    "kite", "ball", "drum", "doll", "boat", "bell", "book", "ring", "key", "flute", "whistle", "puppet", "map",
    "hat", "cup", "ribbon", "mirror", "purse",
)  # fmt: skip
VESSELS = ("bucket", "jug", "bowl", "jar")
CONTAINERS = (*VESSELS, "basket", "bag")
TOOLS = ("hammer", "saw", "rope", "ladder", "brush")
LIGHTS = ("lamp", "candle", "lantern", "torch")
WRAPS = ("coat", "scarf", "blanket", "shawl")
KEEPSAKES = (*TOYS, "basket", "bag", "lamp", "scarf", "blanket")
ANIMALS = ("dog", "goat", "goose", "horse", "cow", "cat", "donkey", "pony")
THINGS = (*TOYS, *CONTAINERS, *TOOLS, *LIGHTS, *WRAPS, *ANIMALS)

FRUITS = {fruit: fruit + "s" for fruit in ("apple", "pear", "plum", "nut", "fig", "cookie", "carrot", "egg")}
BAKED = ("cake", "pie", "tart", "pudding", "loaf")
INGREDIENTS = ("flour", "milk", "sugar", "butter", "honey", "salt")
LIQUIDS = ("milk", "honey")
REPAIRS = ("fence", "roof", "gate", "wall", "door", "bench", "table", "cart")
NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
COUNTED_TO = ("ten", "twenty", "thirty", "forty", "fifty")
SPOTS = (
    "behind a big tree",
    "behind the wall",
    "behind a door",
    "under a table",
    "under a bench",
    "under a cart",
    "in an old barrel",
    "in a big box",
    "between two bushes",
    "behind some sacks",
)
DAYS = tuple(
    f"{mood}{part}"
    for mood in ("", "sunny ", "warm ", "cold ", "windy ", "quiet ", "bright ")
    for part in ("morning", "day", "afternoon")
)


class Place(NamedTuple):
    """A place of the village: the word before `the`, and whether it has a roof."""

    preposition: str
    indoors: bool


PLACES = {
    "garden": Place("in", False),
    "forest": Place("in", False),
    "meadow": Place("in", False),
    "park": Place("in", False),
    "kitchen": Place("in", True),
    "barn": Place("in", True),
    "library": Place("in", True),
    "mill": Place("at", True),
    "school": Place("at", True),
    "market": Place("at", False),
    "farm": Place("at", False),
    "harbour": Place("at", False),
    "river": Place("by", False),
    "lake": Place("by", False),
    "well": Place("by", False),
    "hill": Place("on", False),
    "bridge": Place("on", False),
    "beach": Place("on", False),
    **{place: Place("in", False) for place in ("orchard", "valley", "yard", "vineyard", "field")},
    **{place: Place("in", True) for place in ("stable", "cellar", "attic", "chapel", "castle", "tower", "cave")},
    **{place: Place("in", True) for place in ("shed", "workshop", "hall")},
    **{place: Place("at", False) for place in ("camp", "zoo")},
    **{place: Place("at", True) for place in ("station", "inn", "shop", "museum", "theatre", "smithy", "bakery")},
    **{place: Place("by", False) for place in ("pond", "sea", "stream", "fountain", "waterfall", "canal")},
    **{place: Place("on", False) for place in ("island", "cliff", "terrace", "pier", "mountain", "jetty")},
}
OUTDOORS = tuple(noun for noun, place in PLACES.items() if not place.indoors)
INDOORS = tuple(noun for noun, place in PLACES.items() if place.indoors)
DARK_PLACES = ("barn", "mill", "forest", "library", "school")
FRIGHTENING_PLACES = ("farm", "river", "lake", "hill", "meadow", "bridge", "forest", "park", "harbour", "barn")


def is_girl(name: str) -> bool:
    """Say whether a person of the village is called she."""
    return name in _GIRLS


def at(noun: str) -> str:
    """Return where somebody is: `in the garden`."""
    return f"{PLACES[noun].preposition} the {noun}"


def counted(number: int, fruit: str) -> str:
    """Return a number of fruits in words: `one pear`, `three pears`."""
    return f"{NUMBERS[number]} {fruit if number == 1 else FRUITS[fruit]}"


_GIRLS = frozenset(GIRLS)
