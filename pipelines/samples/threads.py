"""A small site about kettles, written for the demonstration, each post there to meet a rule.

Real dumps are not ours to copy. These posts hold in few words what theirs hold: code, lists, a
spoiler, formulas, a table, negative scores, answers without their question, wikis of tags.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class SamplePost:
    """A row of ``Posts.xml``; None leaves an attribute out."""

    id: int
    body: str | None
    post_type: int = 2
    parent: int | None = None
    score: int | None = 0
    title: str | None = None
    tags: str | None = None
    accepted: int | None = None
    owner: int | None = 1
    license: str | None = "CC BY-SA 4.0"
    created: str = "2022-03-01T09:30:00.000"


def question(post_id: int, title: str, body: str, score: int = 0, **more: object) -> SamplePost:
    """Return a question."""
    return SamplePost(post_id, body, 1, score=score, title=title, **more)  # type: ignore[arg-type] # fields


def answer(post_id: int, parent: int, body: str, score: int = 0) -> SamplePost:
    """Return an answer."""
    return SamplePost(post_id, body, parent=parent, score=score, owner=post_id % 7)


KETTLES = (
    question(
        1,
        "Why does my kettle sing before it boils?",
        "<p>A few minutes before the water boils, my kettle makes a <em>rising</em> sound, and "
        "just before it boils the sound falls.</p>\n\n<p>What makes it do so?</p>\n",
        12,
        tags="<sound><boiling>",
        accepted=4,
    ),
    answer(
        2,
        1,
        "<p>It is the air that leaves the water.</p>\n",
        9,
    ),
    answer(
        3,
        1,
        "<p>Kettles are made that way.</p>\n",
        -3,
    ),
    answer(
        4,
        1,
        "<p>Bubbles of steam form at the hot bottom and collapse in the cooler water above it:</p>"
        "\n\n<ol>\n<li>the bottom reaches 100 &deg;C first;</li>\n<li>bubbles rise, cool and "
        "collapse, which you hear;</li>\n<li>when all of the water is hot they reach the surface "
        "whole.\n\n<ul>\n<li>That is when the sound falls.</li>\n</ul></li>\n</ol>\n",
        10,
    ),
    question(
        5,
        "How long does a litre take at 2 kW &amp; 20 &deg;C?",
        "<p>I have one litre of water at 20&nbsp;&deg;C and a heater of 2&nbsp;kW. How long until "
        'it boils?</p>\n\n<blockquote class="spoiler">\n  <p>I guess three minutes.</p>\n'
        "</blockquote>\n",
        5,
        tags="|physics|time|",
    ),
    answer(
        6,
        5,
        "<p>The heat is $Q = m c \\,\\Delta T$, so the time is $$t = \\frac{m c\\,\\Delta T}{P}.$$"
        "</p>\n\n<p>As a program:</p>\n\n<pre><code>def seconds(litres, celsius, watts):\n"
        "    heat = litres * 4186 * (100 - celsius)  # joules\n    if watts &lt;= 0:\n"
        '        return float("inf")\n    return heat / watts\n</code></pre>\n\n'
        "<p><code>seconds(1, 20, 2000)</code> is 167.</p>\n",
        100,
    ),
    answer(
        7,
        5,
        "<p>I measured it:</p>\n\n<table>\n<tr>\n<th>start</th>\n<th>seconds</th>\n</tr>\n<tr>\n"
        "<td>20</td>\n<td>181</td>\n</tr>\n<tr>\n<td>40</td>\n<td>139</td>\n</tr>\n</table>\n",
        9,
    ),
    answer(8, 5, '<p><a href="x.png"><img src="x.png" alt="A graph"></a></p>\n', 2),
    question(
        9,
        "Can I write &lt;br&gt; on a kettle?",
        "<p>My label printer reads HTML. How do I get a literal <code>&amp;lt;br&amp;gt;</code> on "
        "it?<br>\nI have no other printer.</p>\n",
        -1,
        tags="<labels>",
    ),
    answer(10, 404, "<p>The question that this answers is gone.</p>\n", 3),
    SamplePost(11, "<p>Questions about the noise that a kettle makes.</p>\n", 5, owner=None),
    SamplePost(12, "Sounds of kettles.", 4, owner=None),
    question(13, "Is this title all there is?", "", 1, tags="<labels>"),
)
