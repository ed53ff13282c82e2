"""Words that mark a licence or copyright notice, and words that only mention one.

A cue alone decides nothing: "licensed under the MIT licence" is a notice, and "checks that each
file is licensed under the MIT licence" is documentation. So two things are checked for each
sentence: whether it has a cue, and whether it begins like a sentence about a program. Formulas that
occur only in notices ("permission is hereby granted") count in any sentence, unless quoted.
"""

import re
from typing import Final

from filters.github.generated import GENERATED_HINTS, unquoted

# Texts are searched with their blanks collapsed; for all but the copyright patterns, in lower case.
# What follows the word if it is the topic of a text and not the beginning of a notice.
_TOPIC: Final = r"""
    (?!\W+(?:and\ |&\ )?(?:licen[sc]e\ )?(?:headers?|lines?|check\w*|years?|notices?|fields?|texts?
      |stamps?|strings?|holders?|owners?|statements?|tools?|tests?|scan\w*|pars\w+|detect\w+|updat\w+
      |insert\w*|symbols?|signs?|laws?|information|comments?|blocks?|banners?|templates?)\b)
"""
# A sentence that begins like this is not about a program, whatever it quotes.
_NOTICE_STARTS: Final = (
    "Copyright", "COPYRIGHT", "Licensed", "Permission", "Redistribution", "THE ", "THIS ", "You ",
    "Unless ", "Use of ", "Neither ", "Distributed ",
)  # fmt: skip
# Words that no sentence about a program has, unless it quotes them.
_COPYRIGHT: Final = re.compile(
    rf"""
      (?i: ^(?:</?)?[@:]?copyright\b ){_TOPIC}
    | (?i: \bcopyright(?:ed|s)?\ ?(?: \(c\) | © | ,?\ ?\d{{4}} | by\b) )
    | (?i: \b(?:is|are)\ copyright(?:ed)?\b ) | ©\ ?(?:\d{{4}} | [A-Z]) | \d{{4}}\ ©
    """,
    re.VERBOSE,
)
_PHRASES: Final = (
    "all rights reserved", "is free software", "permission is hereby granted",
    "permission to use and copy", "permission to use copy", "permission to use, copy",
    "placed in the public domain", "redistribution and use", "released into the public domain",
    "released to the public domain", "spdx-license-identifier:", "spdx-filecopyrighttext:",
)  # fmt: skip
# Prose has "copyright" in lower case; a notice has a capital.
_CAPITAL: Final = re.compile(rf"\b(?:Copyright|COPYRIGHT)\b{_TOPIC}|©", re.VERBOSE)
_LEGAL_PHRASES: Final = ("copyleft", "general public license", "general public licence")
# Patterns are slow: each has a substring without which it cannot match.
_LEGAL_PATTERNS: Final = tuple(
    (hint, re.compile(pattern, re.VERBOSE))
    for hint, pattern in {
        "(c)": r"""
              \(c\) .{0,80}? \b(?:19|20)\d\d\b | \b(?:19|20)\d\d\b .{0,20}? \(c\) | ^\(c\) \s \w
            | \(c\)\ .{0,80}? \b(?:licen[sc]e | contributors | foundation | inc\b | ltd\b)
            """,
        "licen": r"""
              \blicen[sc]ed\ (?:under|to|by|for|with)\b | ^:?licen[sc]e \s* : | @licen[sc]e\b
            | \blicen[sc]e\s*:\s*["'`]?(?:mit|bsd|apache|isc|zlib|mpl|l?gpl|agpl|cc|public|artistic)
            | \b(?:is|are)\ (?:mit|bsd|apache)[ -]licen[sc]ed\b
            | \b(?:mit | bsd | apache | isc | zlib | mozilla\ public | at&t\ public)\ licen[sc]e
              (?: \W*$ | \W*[.,;:()"'/-] | \ (?:v\d | version | https?: | see | as | agreement) )
            | \b(?:see|view|in)\ (?:the\ )?(?:accompanying\ )?(?:file\ )?["'`]?licen[sc]e
              (?:[.]\w+)?["'`]?(?:\ files?)?
              (?: \W*$ | [.,;)] | \ (?:for|in|at|distributed|included|that|which|details|accompan) )
            | \b(?:under|governed\ by)\ .{0,60}? licen[sc]e
            """,
        "gpl": r"\bunder\ .{0,60}? \b[al]?gpl",
        "spdx": r"\bspdx-[a-z]",
        "warrant": r"\b(?:without|no)\ (?:any\ )? (?:express\ or\ implied\ )? warrant",
    }.items()
)
# Lines that are part of a licence notice beside them, but are no notice by themselves.
_CONTINUES: Final = re.compile(
    r"""
      ^(?:head\d\ )? (?:licen[sc]e | copyright) | (?:begin|end)\W{1,3}licen[sc]e
    | \b(?:the|this|own|chosen|following|public)\ licen[sc]e | /licen[sc]es?\b | sublicen[sc]
    | licen[sc]e(?:[,.;)] | \ (?:agreement|at\b|information|summary|terms|text|version|v\d))
    | \blicen[sc](?:ing|or)\b | copyright\ (?:notice|holder|owner|law|statement)
    | \bthe\ original\ code\b
    | permissions?\ (?:notice|is|are|described|granted|to\ use) | (?:written|special)\ permission
    | warrant | \bliab(?:le|ilit) | \bas[ -]is["'”] | provided\ as[ -]is | disclaim | merchantab
    | consequential\ damages | infring | endorse | redistribut | free\ software | \btrademark
    | following\ conditions | conditions\ of\ any\ kind | all\ copies
    | altered\ (?:source|from) | misrepresent | voluntary\ contributions | contributor\ agreement
    | \bsee\ (?:the\ )?(?:file\ )?["'`]?(?:copying|authors|notice)\b
    | \bthis\ file\ (?:is|was|has\ been)\ (?:based\ on|derived|adapted|modified)
    | \bthis\ file\ is\ (?:a\ )?part\ of\ (?:(?!\ (?:which|that)\ )[^,;:]){1,80}
      (?:,\ (?:which\ (?:can|may)\ be\ (?:found|obtained)\ .{0,99} | inc\.? | ltd\.? | llc\.?))?$
    """,
    re.VERBOSE,
)
# Substrings of all the cues above and of those of generators.
HINTS: Final = (
    "copyright", "©", "rights reserved", "copyleft", "general public", "free software",
    "permission", "public domain", "redistribution", *GENERATED_HINTS,
    *(hint for hint, _ in _LEGAL_PATTERNS),
)  # fmt: skip
_HINT_WORDS: Final = (
    "copyright", "licen", "©", "(c)", "generated", "edit", "modif", "public", "permission",
    "software", "warrant", "reserved", "redistribution", "copyleft", "gpl", "spdx", "lost", "gnu",
)  # fmt: skip
# The beginning of a sentence that says what the code does: "Checks that", "Script to", "This tool
# prints". Words that begin a notice in the same way are left out.
_DOCUMENTS: Final = re.compile(
    r"""
    (?:[\w/-]+\.\w{1,6}\s*(?::|--?|\u2013)\s+)? (?:
      (?!(?:see|view|refer|read|consult|use|under|by|in|for|with|on|at|of|to|from|as|and|or|is|are|per
         |unless|subject|find|get|obtain|copyright|portions?|including|provided|covered|governed|this
         |that|these|those|all|above|within|without|part|redistributions?|licen[sc]ed?|licen[sc]es
         |released|distributed|permissions?|but|if|when|where|not|under|neither|both)\b)
      [a-z]+\ (?-i:the|a|an|that|all|every|each|whether|if|which|any|its|their|what|where|how
         |missing)\b
    | (?:usage|examples?|description|purpose|synopsis|summary|todo|arguments|parameters)\s*:
    | (?:the\ )?(?:copyright|licen[sc]e|notice)s?\ (?:\w+\ )?(?:checker|linter|tool|scanner|detector
       |updater|parser|server|manager|validator|utilit(?:y|ies)|helper|test)s?\b
    | (?:this|the)\ (?:script|module|tool|program|class|package|function|command|plugin|helper|test
       |linter|rule|check|hook|library|code|file)\ (?!is\b|was\b|has\b|comes\b|contains\b)[a-z]+s\b
    | (?:unit\ |regression\ |small\ |simple\ )? (?:tests?|scripts?|tools?|helpers?|utilit(?:y|ies)
       |functions?|class(?:es)?|routines?|commands?|plugins?|linters?|checks?|checkers?|rules?
       |lists?|tables?|names|texts?|templates?|constants|readers?|writers?|fixtures?|detectors?)
       \ (?:for|to|that|which|of|with)\b
    )
    """,
    re.VERBOSE | re.IGNORECASE,
)
_SENTENCE_END: Final = re.compile(r"(?<=[a-z0-9)\"'][.!?])\s+(?=[A-Z(©])")
_VERB: Final = re.compile(
    r"(?!(?i:authors|bits|conditions|contents|contributors|copies|copyrights|files|holders|its"
    r"|licen[sc]es|materials|modifications|names|parts|permissions|pieces|portions|products"
    r"|redistributions|rights|sources|terms|thanks|trademarks|users|versions|warranties)\b)"
    r"[A-Za-z][a-z]*(?:[^aijosu'A-Z]s|ies|ses)$"
)
# Behind "Redistributions" or "Authors", which look like verbs.
_AFTER_PLURAL: Final = re.compile(
    r"(?:of|in|and|or|may|must|shall|should|will|can|is|are|was|were|has|have|does|be|by|to|with|from|for|who|that|which"
    r"|under|copyright)\b",
    re.IGNORECASE,
)
# In a docstring, which documents the module, a notice has to begin as one.
_BEGINS_AS_NOTICE: Final = re.compile(
    r"""
      [:@]?licen[sc]e\b\s*[:=\u2013-] | (?:dual\ )?licen[sc]ed\ (?:under|to|by)\b | spdx-
    | (?:released|distributed|available|published|provided)\ under\b
    | (?:the\ )?(?:mit|bsd|apache|isc|zlib|gnu|mozilla)\b.{0,30}\blicen[sc]e\b
    | (?:this|the)\ (?:file|code|module|program|library|software|work|package|source)\b.{0,40}?
      \bis\ (?:licen[sc]ed|released|distributed|available|free)\b
    """,
    re.VERBOSE | re.IGNORECASE,
)


def has_hint(comment: str) -> bool:
    """Return whether a comment may hold a notice, wherever its lines break; most do not."""
    return any(map(comment.lower().__contains__, _HINT_WORDS))


def is_legal(text: str, *, docstring: bool = False) -> bool:
    """Return whether a group of lines is a licence or copyright notice by a cue of its own.

    Args:
        text: the group, blanks collapsed.
        docstring: it stands in a docstring among others that are no notice, and must begin as one.

    >>> is_legal("Released under the MIT license."), is_legal("Checks for the MIT license.")
    (True, False)
    """
    if not text.startswith(_NOTICE_STARTS):
        text = unquoted(text)
    lowered = text.lower()
    if _is_formula(text, lowered):
        return True
    if docstring:
        return _BEGINS_AS_NOTICE.match(text) is not None
    if not _has_cue(text, lowered):
        return False
    if not documents(text):
        return True
    _, *sentences = _SENTENCE_END.split(text)
    return any(
        _has_cue(sentence, sentence.lower()) and not documents(sentence) for sentence in sentences
    )


def continues(text: str) -> bool:
    """Return whether a group of lines may belong to the licence notice beside it."""
    return _CONTINUES.search(text.lower()) is not None


def documents(text: str) -> bool:
    """Return whether a sentence begins like one that says what a program does.

    >>> documents("Prints the licenses of all files."), documents("Portions of the code are by A.")
    (True, False)
    """
    if text.isupper():
        return False
    if _DOCUMENTS.match(text):
        return True
    first, _, rest = text.partition(" ")  # a verb in the third person: "Computes X."
    return (
        _VERB.match(first) is not None and rest[:1].isalpha() and _AFTER_PLURAL.match(rest) is None
    )


def _is_formula(text: str, lowered: str) -> bool:
    return (("copyright" in lowered or "©" in text) and _COPYRIGHT.search(text) is not None) or any(
        phrase in lowered for phrase in _PHRASES
    )


def _has_cue(text: str, lowered: str) -> bool:
    return (
        (("opyright" in text or "OPYRIGHT" in text or "©" in text) and bool(_CAPITAL.search(text)))
        or any(map(lowered.__contains__, _LEGAL_PHRASES))
        or any(hint in lowered and pattern.search(lowered) for hint, pattern in _LEGAL_PATTERNS)
    )
