"""Sample rows of C4 in its published form, and a list of bad words, written for this purpose.

The rows lie in the format of the data set (docs/rules/web.md 9.8): JSON lines, gzipped. C4 that is
made from WET files takes the sample pages of Common Crawl, with the list that is written here.
"""

import gzip
import json
import os
from pathlib import Path

from tokenizer.files import write_atomically

DATE = "2019-04-{day:02d}T12:00:00Z"

# Each is a page: the path of its url, and its lines.
_PAGES = (
    (
        "baking/sourdough",
        (
            "A sourdough loaf needs flour, water, salt and time.\n"
            "The starter is a paste of flour and water in which wild yeast lives.\n"
            "Feed it once a day, and it doubles in about six hours when the kitchen is warm.\n"
            "Fold the dough every half hour, so that it gains strength without being kneaded.\n"
            "Bake it in a closed pot first: the steam keeps the crust soft while the loaf rises."
        ),
    ),
    (
        "garden/compost",
        (
            "Compost is what is left when leaves, peelings and straw have rotted.\n"
            "Green matter brings nitrogen, brown matter brings carbon, and the heap wants both.\n"
            "Turn it with a fork every two weeks to let air in.\n"
            "When it smells of forest soil, it is ready for the beds."
        ),
    ),
    (
        "bicycle/chain",
        (
            "A bicycle chain wears because its pins and bushings rub against each other.\n"
            "Worn parts make it longer, and a long chain wears out the sprockets as well.\n"
            "Hold a ruler against it: twelve links of a new chain measure exactly twelve inches.\n"
            "Is it a sixteenth of an inch more? Then put a new one on."
        ),
    ),
    (
        "sky/shooting-stars",
        (
            "A shooting star is a grain of dust that meets the air at forty kilometres a second.\n"
            "It heats the air in front of it so much that the air glows, and the grain is gone.\n"
            "Every August the Earth passes through the dust of a comet, and on a clear night you "
            "may see one each minute."
        ),
    ),
    (
        "music/tuning",
        (
            "Two strings that are almost in tune beat against each other.\n"
            "The beats are slow when the strings are close, and stop when they agree.\n"
            "A tuner listens to the beats between a fifth and an octave, since no keyboard has "
            "all of its intervals pure."
        ),
    ),
    (
        "wood/oak",
        (
            "Oak is heavy, hard and rich in tannin, which is why barrels are made of it.\n"
            "Iron turns it black where it is wet, so boat builders use screws of bronze.\n"
            "The rays that cross its rings show as silver flecks when a log is cut in quarters."
        ),
    ),
    (
        "ferries/timetable",
        (
            "The ferry leaves the island at seven in the morning and at four in the afternoon.\n"
            "In winter there is one crossing a day, and none when the wind is above force eight.\n"
            "Bicycles travel free. Cars must be booked the day before."
        ),
    ),
    (
        "libraries/cards",
        (
            "Before there were screens, a library was searched through drawers of cards.\n"
            "Each book had three: one by its author, one by its title, one by its subject.\n"
            "A good cataloguer could find a book that the reader could hardly describe."
        ),
    ),
)
_VALIDATION = (
    (
        "kites/first-flight",
        (
            "A kite flies because the wind pushes against it while the line holds it at an angle.\n"
            "Tie the bridle a little above the middle, and add a tail if it spins.\n"
            "Run only when there is no wind, for a kite in a good breeze needs no running."
        ),
    ),
)
BAD_WORDS = ("blasted", "confounded scoundrel")  # mild ones, for a demonstration


def write_c4(directory: str | os.PathLike[str], badwords: str | os.PathLike[str]) -> list[Path]:
    """Write two published files, and a list of English bad words.

    Args:
        directory: of the published files, made if absent; earlier files are replaced.
        badwords: folder of the lists.

    Returns:
        the files written, by name.

    Raises:
        OSError: a directory cannot be written.
    """
    written = []
    for name, pages in (("train", _PAGES), ("validation", _VALIDATION)):
        lines = [
            json.dumps(
                {
                    "text": text,
                    "timestamp": DATE.format(day=18 + number),
                    "url": f"https://www.almanac.example/{path}/",
                }
            )
            for number, (path, text) in enumerate(pages)
        ]
        path = Path(directory) / f"c4-{name}.00000-of-00001.json.gz"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, gzip.compress(("\n".join(lines) + "\n").encode(), mtime=0))
        written.append(path)
    words = Path(badwords) / "en"
    words.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(words, ("\n".join(BAD_WORDS) + "\n").encode())
    return [*written, words]
