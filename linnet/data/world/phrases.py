"""The phrase book of stories: for each event the sentences that tell it, read by the teller and by the checker.

A slot is a letter and a form. People A B C: `{A}` he or the name, `{A him}`, `{A his}`, `{A said}` "he said" or "said
Tom", `{A name}` never a pronoun, `{A new}` a name that is heard for the first time. Things T U: `{T}` "the red kite",
"the kite" or "it", `{T full}` "the red kite", `{T bare}` "kite" or "red kite", `{T a}` "a red kite" for the first
time, `{T new}` the same without "a". Places P Q: `{P}` "the garden", `{P at}` "in the garden". `{Then}` is a
connective or nothing, `{they}` everyone who is there. What a sentence has named once it calls he, she or it the
second time.
"""

Phrases = dict[str, tuple[str, ...]]

CONNECTIVES = ("Then", "Soon", "After that,", "A little later,")

OPENINGS: Phrases = {
    "open": (
        "One {day}, {A new} was {P at}.",
        "One {day}, {A new} was sitting {P at}.",
        "One {day}, {A new} was playing {P at}.",
        "One {day}, {A new} was all alone {P at}.",
    ),
    "open two": (
        "One {day}, {A new} and {B new} were {P at}.",
        "One {day}, {A new} and {B new} were playing {P at}.",
        "One {day}, {A new} and {B new} met {P at}.",
    ),
}

MEETING: Phrases = {
    "come": ("Just then, {B new} came along.", "After a while, {B new} came by.", "Then along came {B new}."),
    "meet": (
        "There {A} met {B new}.",
        "{B new} was there too.",
        "{B new} was already there.",
        "There {A} saw {B new}.",
    ),
    "is at": ("{B name} was {P at}.", "{B name} was waiting {P at}.", "{B name} was sitting {P at}."),
    "go": ("{Then}{A} went to {P}.", "{Then}{A} walked to {P}.", "{Then}{A} ran to {P}.", "{Then}{A} hurried to {P}."),
    "carry": ("{Then}{A} took {T} to {P}.", "{Then}{A} carried {T} to {P}.", "{Then}{A} went to {P} with {T}."),
    "go back": ("{Then}{A} went back to {P}.", "{Then}{A} came back to {P}.", "{Then}{A} returned to {P}."),
    "carry back": ("{Then}{A} took {T} back to {P}.", "{Then}{A} came back to {P} with {T}."),
    "go together": (
        "{Then}{they} went to {P} together.",
        "{Then}{they} walked to {P} side by side.",
        "So {they} ran to {P}.",
        "So {A name} and {B name} went to {P}.",
    ),
    "rest": ("There {A} sat down and rested for a while.", "There {A} drank some water.", "There {A} sang a song."),
}

HOLDING: Phrases = {
    "own": (
        "{A} had {T a}.",
        "{A} had {T a} with {A him}.",
        "{A} was holding {T a} in {A his} hands.",
        "{A} had brought {T a}.",
    ),
    "treasure": (
        "{A} loved {T} very much.",
        "{A} took {T} everywhere.",
        "{A} was very proud of {T}.",
        "{T} was {A his} favourite thing.",
    ),
    "take": ("{Then}{A} picked {T} up.", "{Then}{A} took {T}.", "{A} bent down and picked {T} up."),
    "give": ("{Then}{A} gave {T} to {B him}.", "{Then}{A} handed {T} to {B him}.", "{A} put {T} into {B his} hands."),
    "take and give": ("{A} picked {T} up and gave {T} to {B him}.", "{A} took {T} and handed {T} to {B him}."),
    "play": (
        "{A} played with {T} all day.",
        "{A} did not let go of {T} all day.",
        "{A} had a lot of fun with {T}.",
        "{A} showed {T} to everyone.",
    ),
}

MOODS: Phrases = {
    "sad": (
        "{A} was very sad.",
        "{A} began to cry.",
        "{A} sat down and cried.",
        "{A} did not know what to do.",
    ),
    "happy": ("{A} was very happy.", "{A} smiled.", "{A} laughed.", "{A} danced with joy."),
    "happy again": ("{A} was happy again.", "Now {A} could smile again.", "Now {A} was not sad any more."),
    "ask what is wrong": (
        '"What is wrong?" {B asked}.',
        '"Why are you so sad?" {B asked}.',
        '"What is the matter, {A name}?" {B asked}.',
    ),
    "thank": (
        '"Thank you, {B name}!" {A said}.',
        '"Thank you so much, {B name}," {A said}.',
        '"You are a good friend, {B name}," {A said}.',
        "{A} thanked {B him}.",
    ),
    "late": ("It was getting late.", "The sun was going down.", "Evening came."),
}

LOST: Phrases = {
    "leave": (
        "There {A} put {T} down and forgot {T}.",
        "There {T} fell to the ground, but {A} did not see that.",
        "{A} played for a long time and left {T} {P at}.",
    ),
    "miss": (
        "{Then}{A} saw that {T} was gone.",
        "{A} looked for {T}, but {T} was not there.",
        '"Oh no! Where is my {T bare}?" {A cried}.',
    ),
    "tell lost": (
        '"I have lost my {T bare}," {A said}.',
        '"My {T bare} is gone," {A said}.',
        '"I cannot find my {T bare}," {A said}.',
    ),
    "suggest": (
        '"Let us look {P at}," {B said}.',
        '"Maybe it is {P at}," {B said}.',
        '"I saw it {P at}," {B said}.',
    ),
    "not there": ("But {T} was not there.", "{they} looked everywhere, but {T} was not there."),
    "find": ("There {B} found {T}.", "There {B} saw {T}.", "{B} was the first to see {T}.", "Soon {B} found {T}."),
    "end found": (
        "That night, {A} thought of {B name}, who had found {T full} {P at}.",
        "{A} never forgot that {B name} had found {T full} {P at}.",
        "And so {A name} had {T full} again, because {B name} had found {T} {P at}.",
    ),
}

GIFT: Phrases = {
    "birthday": ("It was {B new}'s birthday.", "It was the birthday of {B new}."),
    "plan gift": (
        "{A} wanted to give {T} to {B him}.",
        "{T full} was a present for {B him}.",
        "{A} wanted {B name} to have {T}.",
    ),
    "wish": (
        '"Happy birthday, {B name}!" {A said}.',
        '"This is for you, {B name}," {A said}.',
        '"I have something for you, {B name}," {A said}.',
    ),
    "admire": (
        '"What a lovely {T bare}!" {B said}.',
        '"I have always wanted a {T bare}," {B said}.',
        '"I will take good care of this {T bare}," {B said}.',
    ),
    "end gave": (
        "{B} never forgot that {A name} had given {B him} {T full}.",
        "That night, {B} put {T full} beside {B his} bed and thought of {A name}.",
        "From that day on, {T full} from {A name} was always with {B him}.",
    ),
}

LEND: Phrases = {
    "borrow": (
        '"May I borrow your {T bare}?" {B asked}.',
        '"Can you lend me your {T bare}?" {B asked}.',
        '"May I have your {T bare} for a day?" {B asked}.',
    ),
    "agree": (
        '"Yes, but please bring it back," {A said}.',
        '"Of course, but be careful with it," {A said}.',
        '"You may have it until evening," {A said}.',
    ),
    "lend": ("{Then}{A} lent {T} to {B him}.", "So {A} lent {T} to {B him} for the day."),
    "give back": ("{Then}{B} gave {T} back to {A him}.", "{B} put {T} back into {A his} hands."),
    "praise": ('"You kept your word, {B name}," {A said}.', '"You are back, {B name}!" {A cried}.'),
    "end back": (
        "{A} was glad that {B name} had brought {T full} back.",
        "From that day on, {A} trusted {B name}, who had brought {T full} back.",
        "That night, {T full} was with {A name} again, because {B name} had brought {T} back.",
    ),
}

SWAP: Phrases = {
    "like": ('"I like your {U bare}," {A said}.', '"Your {U bare} is wonderful," {A said}.'),
    "like too": ('"And I like your {T bare}," {B said}.', '"Your {T bare} is lovely too," {B said}.'),
    "offer": ('"Let us swap," {A said}.', '"Shall we swap?" {A asked}.'),
    "swap": (
        "So {A name} gave {T} to {B name}, and {B name} gave {U} to {A name}.",
        "So {A name} took {U}, and {B name} took {T}.",
    ),
    "end swap": (
        "In the evening, {A name} had {U full} and {B name} had {T full}, and both were happy.",
        "That night, {A name} slept beside {U full}, and {B name} slept beside {T full}.",
        "And so {U full} stayed with {A name}, and {T full} stayed with {B name}.",
    ),
}

ANIMAL: Phrases = {
    "live": ("{T a} lived {P at}.", "There was {T a} {P at}."),
    "fear": ("{A} was afraid of {T}.", "{A} was scared of {T}."),
    "not dare": ("{A} wanted to go to {P}, but {A} did not dare.", "So {A} did not dare to go to {P}."),
    "tell fear": ('"I am afraid of the {T bare}," {A said}.', '"The {T bare} scares me," {A said}.'),
    "comfort": ('"Do not be afraid, {A name}," {B said}.', '"I will come with you, {A name}," {B said}.'),
    "stand there": ("{T} looked at {A him}.", "{T} came closer to {A him}."),
    "hold hands": ("{A} held {B his} hand.", "{A} hid behind {B name}."),
    "feed": ("{B} gave {T} some bread.", "{B} patted {T}."),
    "stroke": ("{Then}{A} stroked {T}.", "At last {A} touched {T} too.", "Slowly {A} put a hand on {T}."),
    "gentle": ("{T} was very gentle.", "{T} was soft and warm.", "{T} liked that very much."),
    "end brave": (
        "{A} was never afraid of {T full} again, because {B name} had helped {A him}.",
        "From that day on, {A} often went to {P} with {B name} to see {T full}.",
        "That night, {A} thought of {T full} and of {B name}, who had helped {A him}.",
    ),
}

DARK: Phrases = {
    "left behind": ("{A his} {T new} was still {P at}.", "{A} had left {T a} {P at}."),
    "dark": ("But it was dark {P at}, and {A} was afraid of the dark.", "But {A} was afraid, for it was dark {P at}."),
    "tell dark": ('"I am afraid of the dark," {A said}.', '"It is too dark for me {P at}," {A said}.'),
    "shine": ("{B} held {U} up, and it was not dark any more.", "{B} lit {U}, and the dark was gone."),
    "end bright": (
        "{A} was never afraid of the dark again, because {B name} had come with {U full}.",
        "That night, {A} thought of {B name} and {U full}, and was not afraid of the dark.",
        "And so {A name} had {T full} again, because {B name} had come with {U full}.",
    ),
}

BAKE: Phrases = {
    "want to bake": ("{A} wanted to bake a {food}.", "{A} wanted to make a {food}."),
    "lack": ("But there was no {what}.", "But {A} had no {what}.", "But {A} needed some {what}."),
    "ask for": (
        '"Do you have some {what}, {B name}?" {A asked}.',
        '"I need some {what} for my {food}," {A said}.',
        '"Can you give me some {what}?" {A asked}.',
    ),
    "give full": ("{B} gave {A him} {T a} full of {what}.", "{B} filled {T a} with {what} and gave {T} to {A him}."),
    "bake": ("{Then}{A} baked the {food} with the {what}.", "{A} took the {what} and made the {food}."),
    "bring back": (
        "{Then}{A} took {T} and the {food} to {P}.",
        "The next day, {A} went to {P} with {T} and the {food}.",
    ),
    "taste": ('"This is the best {food} of all," {B said}.', "{B} ate a big piece of the {food}."),
    "end bake": (
        "{A} never forgot that {B name} had given {A him} the {what} for the {food}.",
        "That night, {B} put {T full} away and thought of {A his} {food}.",
        "And so {A name} and {B name} ate the {food} together {P at}.",
    ),
}

ERRAND: Phrases = {
    "task": (
        '"Please take this {T bare} to {C new}," {B said}.',
        '"Can you bring this {T bare} to {C new}?" {B asked}.',
        '"This {T bare} is for {C new}," {B said}.',
    ),
    "tell where": ('"{C name} is {P at}," {B said}.', '"You will find {C name} {P at}," {B said}.'),
    "promise": ('"I will go at once," {A said}.', '"Yes, I will," {A said}.', '"I can do that," {A said}.'),
    "deliver": ('"{B name} sends you this {T bare}," {A said}.', '"This {T bare} is from {B name}," {A said}.'),
    "end errand": (
        "It was a long way from {P} to {Q}, but {A} had brought {T full} safely.",
        "That night, {C} thought of {A name}, who had brought {T full} from {P} to {Q}.",
        "And so {C name} had {T full} that {B name} had sent from {P}.",
    ),
}

HIDE: Phrases = {
    "propose": ('"Let us play hide and seek," {A said}.', '"Shall we play hide and seek?" {A asked}.'),
    "count": (
        "{B} closed {B his} eyes and counted to {number}.",
        "{B} counted to {number}.",
        "{B} turned around and counted to {number}.",
    ),
    "hide": ("{A} hid {spot}.", "Quickly {A} hid {spot}.", "{A} ran away and hid {spot}."),
    "look": ("{B} looked {spot}, but nobody was there.", "First {B} looked {spot}, but {A name} was not there."),
    "spot": (
        "Then {B} looked {spot} and found {A him}.",
        '"You are {spot}, {A name}!" {B cried}.',
        '"I can see you {spot}, {A name}!" {B cried}.',
    ),
    "turn": ('"Now it is your turn, {A name}," {B said}.', "Now it was {A his} turn to look."),
    "end hide": (
        "That night, {A} dreamed of hiding {spot}, and {B name} dreamed of hiding {other}.",
        "{A name} had been {spot} and {B name} {other}, and both had been found.",
        "In the evening, {A} told everyone that {B name} had been {other}.",
    ),
}

STORM: Phrases = {
    "clouds": ("Dark clouds came over {P}.", "A cold wind blew over {P}."),
    "rain": ("Suddenly it began to rain.", "Soon there was thunder and rain.", "Then a storm began."),
    "flee": ("{A} ran to {P} and left {T} behind.", "{A} dropped {T} and ran to {P}."),
    "cold": ("{A} was cold and wet.", "{A} was wet from head to foot."),
    "wrap": ("{B} put {U} around {A him}.", "{B} wrapped {A him} in {U}."),
    "warm": ("{A} was soon warm and dry.", "Now {A} was warm again."),
    "rain stops": ("At last the rain stopped.", "Then the storm was over.", "Later the sun came out again."),
    "still there": ("{T} was still there.", "{T} was wet, but it was still there."),
    "end storm": (
        "{A} never forgot that {B name} had kept {A him} warm with {U full}.",
        "That night, {A} dried {T full} and thought of {B name} and {U full}.",
        "And so the storm took nothing: {A name} had {T full}, and {B name} had {U full}.",
    ),
}

WHOSE: Phrases = {
    "see": ("There {A} saw {T a}.", "{T a} was lying on the ground.", "There {A} found {T a}."),
    "wonder": ('"Whose {T bare} is this?" {A asked}.', '"Who has lost this {T bare}?" {A asked}.'),
    "ask whose": ('"Is this your {T bare}?" {A asked}.', '"Have you lost a {T bare}?" {A asked}.'),
    "deny": (
        '"No, it belongs to {C new}," {B said}.',
        '"No, that is the {T bare} of {C new}," {B said}.',
        '"It is not mine, but {C new} has lost one," {B said}.',
    ),
    "claim": (
        '"Yes, that is my {T bare}!" {C said}.',
        '"My {T bare}! I have looked for it all day," {C said}.',
        '"Oh, my {T bare}!" {C cried}.',
    ),
}

TOOL: Phrases = {
    "want to mend": ("{B} wanted to mend the {repair}.", "{B} was trying to mend the {repair}."),
    "need": (
        '"I need my {T new}, but it is {P at}," {B said}.',
        '"My {T new} is {P at}," {B said}.',
        '"I left my {T new} {P at}," {B said}.',
    ),
    "offer help": ('"I will get it for you," {A said}.', '"I will help you, {B name}," {A said}.'),
    "mend": ("{Then}{B} mended the {repair} with {T}.", "{B} used {T} and mended the {repair}."),
    "end mend": (
        "The {repair} was as good as new, because {A name} had brought {T full} from {P}.",
        "{B} never forgot that {A name} had gone to {P} to get {T full}.",
        "And so {B name} had {T full} again, and {A name} had helped to mend the {repair}.",
    ),
}

SHARE: Phrases = {
    "have some": ("{A} had {many}.", "{A} had {many} in a little bag.", "{A} had picked {many}."),
    "hungry": ("{B} was hungry.", '"I am so hungry," {B said}.', "{B} had nothing to eat."),
    "share": ("{Then}{A} gave {many} to {B him}.", "{Then}{A} gave {B him} {many}."),
    "left": ("Now {A} had {many} left.", "{A} kept {many}."),
    "eat": ("{A} ate {many}.", "Hungrily {A} ate {many}."),
    "end share": (
        "In the evening, {A name} had {many} left, and {B name} had {more}.",
        "{B} never forgot that {A name} had given {B him} {given}.",
        "That night, {A} still had {many}, and {B name} had a good friend.",
    ),
}

CHAPTERS = (
    OPENINGS, MEETING, HOLDING, MOODS, LOST, GIFT, LEND, SWAP, ANIMAL, DARK, BAKE, ERRAND, HIDE, STORM, WHOSE, TOOL,
    SHARE,
)  # fmt: skip
PHRASES: Phrases = {event: templates for chapter in CHAPTERS for event, templates in chapter.items()}


def is_opening(event: str) -> bool:
    """Say whether an event begins a story."""
    return event in OPENINGS


def is_ending(event: str) -> bool:
    """Say whether an event ends a story."""
    return event.startswith("end ")
