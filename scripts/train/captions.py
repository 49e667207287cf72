"""Captions for the painted scenes, in many phrasings.

`caption(scene, rng)` returns the words and their content ("facts"): a caption may omit details, and
then has no facts about them. The facts train the text encoder (train_text.py).
"""
import re

from paint import COLOURS, OBJECTS, SETTINGS, SHAPES, TIMES

SHAPE_WORDS = {"circle": ["circle", "circle", "circle", "disc", "round circle"],
               "square": ["square", "square", "square", "box"],
               "triangle": ["triangle"], "star": ["star", "star", "five-pointed star"]}
GROUND_WORDS = ["background", "background", "background", "background", "ground", "backdrop"]
PAIR = [  # f figure colour, s shape, g ground colour, b a word for the ground
    "a {f} {s} on a {g} {b}", "a {f} {s} on a {g} {b}", "a {f} {s} on a {g} {b}",
    "a {f} {s} on a {g} {b}", "{f} {s} on {g} {b}", "one {f} {s} on a {g} {b}",
    "a {f} {s} on {g}", "the {f} {s} in front of a {g} {b}", "a {f} {s} over a {g} {b}",
    "a {g} {b} with a {f} {s}", "on a {g} {b}, a {f} {s}", "a {s} in {f} on a {g} {b}",
    "{f} {s}, {g} {b}", "{g} {b}, {f} {s}", "a {s}, {f}, on a {b} of {g}",
    "a {f} {s} surrounded by {g}", "a {f} {s} in the middle of a {g} {b}",
    "a {g} picture with a {f} {s} in the centre",
]
ALONE = [("a {f} {s}", "fs"), ("{f} {s}", "fs"), ("a {s}", "s"), ("a {s} on a {g} {b}", "sg"),
         ("a {f} shape on a {g} {b}", "fg"), ("a {g} {b}", "g"), ("something {f} on {g}", "fg"),
         ("{s} on {g}", "sg"), ("a big {f} {s}", "fs")]
TIME_WORDS = {
    "sunrise": ["sunrise", "sunrise", "sunrise", "dawn", "daybreak", "early morning"],
    "noon": ["noon", "noon", "midday", "noon", "daytime", "a sunny day", "a bright day"],
    "sunset": ["sunset", "sunset", "sunset", "dusk", "golden hour", "the evening"],
    "night": ["night", "night", "night", "midnight", "nighttime", "the dark night"]}
SETTING_WORDS = {
    "sea": ["sea", "ocean", "sea", "calm sea", "water", "waves"],
    "mountains": ["mountains", "mountains", "mountain", "peaks", "mountain range", "alps"],
    "city": ["city", "city", "skyline", "town", "city skyline", "skyscrapers", "street"],
    "forest": ["forest", "forest", "woods", "trees", "pine forest", "woodland"],
    "desert": ["desert", "desert", "dunes", "sand dunes", "sahara"],
    "beach": ["beach", "beach", "sandy beach", "shore", "coast", "seashore", "tropical beach"],
    "snow": ["snow", "snowy field", "winter landscape", "snowy hills", "snowy landscape",
             "snow and pines", "winter"]}
OBJECT_WORDS = {
    "sun": ["the sun", "a big sun", "sun", "bright sun", "sunshine"],
    "moon": ["the moon", "a full moon", "moon", "moonlight", "a bright moon"],
    "stars": ["stars", "many stars", "a starry sky", "twinkling stars"],
    "clouds": ["clouds", "white clouds", "a cloudy sky", "fluffy clouds", "some clouds"],
    "boat": ["a boat", "boats", "a sailboat", "sailing boats", "a ship"],
    "mist": ["mist", "fog", "mist", "thick fog", "haze"],
    "birds": ["birds", "flying birds", "a flock of birds", "seagulls"],
    "palm": ["palm trees", "a palm tree", "palms"],
    "cactus": ["a cactus", "cacti", "tall cactus"]}
OBJECT_ADJECTIVE = {"mist": ["misty", "foggy"], "stars": ["starry"], "clouds": ["cloudy"],
                    "moon": ["moonlit"], "sun": ["sunny"]}
MOODS = ["peaceful", "beautiful", "quiet", "calm", "serene", "dramatic", "majestic", "lonely",
         "lovely", "wide", "tranquil", "gentle", "wonderful", "stunning"]
START = ["", "", "", "", "a photo of ", "a picture of ", "a painting of ", "an image of ",
         "an illustration of ", "a view of ", "a drawing of ", "digital art of "]
END = ["", "", "", "", "", ", 4k", ", highly detailed", ", flat illustration", ", high quality",
       ", cinematic", ", digital art", ", beautiful light", ".", ", minimalist", ", soft colours"]
BOTH = [  # t time, p place, m a mood with its article
    "{m} {t} over the {p}", "{t} over the {p}", "the {p} at {t}", "a {p} at {t}",
    "{m} {p} at {t}", "{p} at {t}", "{p} during {t}", "{m} {t} at the {p}", "{t} in the {p}",
    "{p}, {t}", "{t}, {p}", "{m} {p} scene at {t}", "the {p} in {t} light", "{t} {p}",
    "{m} {t} over {p}", "the {t} by the {p}", "a {t} landscape with {p}",
]
PLACE = ["the {p}", "a {p}", "{m} {p}", "{p}", "{m} landscape with {p}"]
TIME = ["{t}", "{m} {t}", "a landscape at {t}", "the sky at {t}"]
JOIN = [" with {}", " with {}", " with {}", ", {}", " and {}", " under {}"]
NOISE = "very really some old new small big happy fantasy magic great nice far tiny epic x".split()


def _pick(rng, options):
    return options[rng.integers(len(options))]


def shape_caption(scene, rng):
    facts = {"fig": scene["fig"], "shape": scene["shape"], "ground": scene["ground"]}
    if rng.random() < .86:
        form = _pick(rng, PAIR)
    else:
        form, keep = _pick(rng, ALONE)
        facts = {k: v for k, v in facts.items() if k[0] in keep}
    text = form.format(f=scene["fig"], g=scene["ground"], b=_pick(rng, GROUND_WORDS),
                       s=_pick(rng, SHAPE_WORDS[scene["shape"]]))
    return text, facts


def land_caption(scene, rng):
    mood = _pick(rng, MOODS)
    mood = ("an " if mood[0] in "aeiou" else "a ") + mood
    time, place = _pick(rng, TIME_WORDS[scene["time"]]), _pick(rng, SETTING_WORDS[scene["setting"]])
    objects = [o for o in scene["objects"] if rng.random() < .75]
    facts, dice = {"time": scene["time"], "setting": scene["setting"]}, rng.random()
    form = _pick(rng, BOTH if dice < .82 else PLACE if dice < .93 else TIME)
    if dice >= .82:
        del facts["time" if dice < .93 else "setting"]
    if objects and rng.random() < .25:
        first = objects[rng.integers(len(objects))]
        if first in OBJECT_ADJECTIVE:
            word = _pick(rng, OBJECT_ADJECTIVE[first])
            if "{p}" in form and rng.random() < .5:
                place = word + " " + place
            elif "{t}" in form:
                time = word + " " + time.removeprefix("the ").removeprefix("a ")
            else:
                place = word + " " + place
            facts["objects"] = [first]
            objects.remove(first)
    text = form.format(t=time, p=place, m=mood)
    if objects:
        rng.shuffle(objects)
        words = [_pick(rng, OBJECT_WORDS[o]) for o in objects]
        text += _pick(rng, JOIN).format(", ".join(words) if rng.random() < .3 else
                                        " and ".join(words))
        facts["objects"] = facts.get("objects", []) + objects
    return text, facts


def _disturb(text, rng):
    """Adds a stray word, or drops an "a"."""
    words = text.split()
    if rng.random() < .5:
        words.insert(rng.integers(len(words) + 1), _pick(rng, NOISE))
    else:
        words = [w for w in words if w not in ("a", "the")] or words
    return " ".join(words)


def caption(scene, rng):
    """One caption of a scene: (text, facts)."""
    text, facts = (shape_caption if scene["kind"] == "shape" else land_caption)(scene, rng)
    text = _pick(rng, START) + text + _pick(rng, END)
    if rng.random() < .12:
        text = _disturb(text, rng)
    if rng.random() < .7:
        text = re.sub(r"\b([Aa]) (?=orange\b|early\b|epic\b|ocean\b)", r"\1n ", text)
    return (text[0].upper() + text[1:] if rng.random() < .3 else text), facts


def all_words():
    """Every possible caption word, the most common kinds first."""
    lists = [COLOURS, SHAPES, TIMES, SETTINGS, OBJECTS, MOODS, NOISE, START, END, JOIN, PLACE, TIME,
             BOTH, PAIR, GROUND_WORDS, [a for a, _ in ALONE]]
    for table in (SHAPE_WORDS, TIME_WORDS, SETTING_WORDS, OBJECT_WORDS, OBJECT_ADJECTIVE):
        lists.extend(table.values())
    extra = """blue-green image photo colours colors shapes landscape sunny stormy light dark sky
    hill lake river house tree flower cat dog astronaut horse person man woman car road field
    grass rain spring summer autumn winter style art oil a an watercolour watercolor pixel detailed
    realistic ultra hd best quality bad blurry low ugly text red-orange is are at in of to from
    near behind above below left right inside its with without no not and or two three many
    bright warm cold pink grey gray brown gold silver large small medium tall night-time""".split()
    words = []
    for text in [t for group in lists for t in group] + extra:
        for char in "{}.,-":
            text = text.replace(char, " ")
        words += [w for w in text.lower().split() if w.isalpha()]
    return list(dict.fromkeys(words))


if __name__ == "__main__":
    import numpy as np
    import paint
    generator = np.random.default_rng()
    for number in range(40):
        print(*caption(paint.random_scene(generator, ("shape", "land")[number % 2]), generator))
    print(len(all_words()), "words")
