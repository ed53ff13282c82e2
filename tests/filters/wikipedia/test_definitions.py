# ruff: noqa: RUF001  (signs of running text are what is tested)
"""Templates by their definitions: how they are parsed, reduced to rules, and evaluated."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.wikipedia.definitions import (
    Call,
    DefinitionError,
    Link,
    Parameter,
    call_name,
    parse,
    split_argument,
    write,
)
from filters.wikipedia.expressions import calculate
from filters.wikipedia.reduction import Definition, Refused, reduce_definition
from filters.wikipedia.resolution import follow, resolve
from filters.wikipedia.sites import load_site
from filters.wikipedia.text import to_text

EN = load_site("en")


def rule_of(source: str, lang: str = "en") -> str:
    """Return the rule that a definition becomes."""
    outcome = reduce_definition(source, load_site(lang))
    assert isinstance(outcome, Definition), outcome
    return outcome.rule


def shown(source: str, page: str, lang: str = "en", **others: str) -> str:
    """Return the text of a page on which `{{t}}` and others are defined so."""
    site = load_site(lang)
    sources = {"T": source, **others}
    outcomes = resolve({n: reduce_definition(s, site) for n, s in sources.items()}, {}, site)
    rules: dict[str, list[str]] = {}
    for name, outcome in outcomes.items():
        assert isinstance(outcome, Definition), outcome
        rules.setdefault(outcome.rule, []).append(name)
    return to_text(page, load_site(lang, extra={"definitions": {lang: rules}})).text


@pytest.mark.parametrize(
    ("source", "nodes"),
    [
        ("a", ("a",)),
        ("{{{1}}}", (Parameter(("1",), None),)),
        ("{{{1|}}}", (Parameter(("1",), ()),)),
        ("{{{a|{{{1|b}}}}}}", (Parameter(("a",), (Parameter(("1",), ("b",)),)),)),
        ("{{a|b}}", (Call((("a",), ("b",))),)),
        ("{{{{{1}}}}}", (Call(((Parameter(("1",), None),),)),)),
        ("{{{{a}}}}", ("{", Parameter(("a",), None), "}")),
        ("[[a|b]]", (Link((("a",), ("b",))),)),
        ("a|b ]] }", ("a|b ]] }",)),
    ],
)
def test_parse(source: str, nodes: object) -> None:
    """Braces are matched as MediaWiki does, and what is parsed is written back as it was."""
    assert parse(source) == nodes
    assert write(parse(source)) == source


@pytest.mark.parametrize(
    "source", ["{{a", "a}}", "{{[[a}}", "{{{1}", "[[a", "{{a|" * 50 + "}}" * 50]
)
def test_what_does_not_match_is_an_error(source: str) -> None:
    """No mercy: a definition is read as a whole or not at all."""
    with pytest.raises(DefinitionError):
        parse(source)


def test_the_name_of_an_argument_ends_at_its_own_equals_sign() -> None:
    """Not at one inside another construct, nor of the value."""
    (call,) = parse("{{t|{{a|b=c}}d=e=f|{{g|h=i}}}}")
    assert isinstance(call, Call)
    name, value = split_argument(call.parts[1])
    assert (write(name or ()), write(value)) == ("{{a|b=c}}d", "e=f")
    assert split_argument(call.parts[2])[0] is None


@pytest.mark.parametrize("prefix", ["safesubst:", "{{{|safesubst:}}}", "subst:"])
def test_a_substitution_is_a_call(prefix: str) -> None:
    """What is before the name says only when the template is expanded."""
    (call,) = parse(f"{{{{{prefix}#if:a|b}}}}")
    assert isinstance(call, Call)
    assert write(call_name(call)) == "#if:a"


@pytest.mark.parametrize(
    ("source", "rule"),
    [
        ("{{{1}}} km", "{1} km"),
        ("{{{1|}}} km", "{1?} km"),
        ("&nbsp;– ", "&nbsp;– "),
        ("a{{{text}}}b<noinclude>{{doc}}</noinclude>", "a{text}b"),
        ("x<includeonly>{{{1}}}</includeonly><noinclude>y</noinclude>", "x{1}"),
        ("x<onlyinclude>{{{1}}}</onlyinclude>y", "{1}"),
        ("<!-- a -->{{{1}}}<!-- b", "{1}"),
        ("<span class='x' lang=\"{{{2|}}}\">{{{1}}}</span>[[Category:X]]", "{1}"),
        ("[[Cubit|{{{1}}} cubits]]", "{1} cubits"),
        ("[[File:Flag.svg|20px|link={{{1}}}]]{{{1}}}", "{1}"),
        ("{{{1}}}<sup>2</sup>", "@wikitext {{{1}}}<sup>2</sup>"),
        ("{{{a|{{{1|}}}}}}", "@wikitext {{{a|{{{1|}}}}}}"),
        ("{{#if:{{{1|}}}|a}}", "@wikitext {{#if:{{{1|}}}|a}}"),
        ("{{nowrap|{{{1}}}}}", "@wikitext {{nowrap|{{{1}}}}}"),
        ("* {{{1}}}", "@wikitext * {{{1}}}"),
        ("{{{1}}}{{#if:{{{nocat|}}}||[[Category:X]]}}", "{1}"),
        ("{{{1}}}{{#ifeq:{{NAMESPACE}}|{{ns:0}}|[[Category:X]]|}}[[fr:Modèle:X]]", "{1}"),
        ("{{{1}}}{{#switch:{{{2}}}|a|b=[[Category:X]]|#default=}}", "{1}"),
        ("{{#ifexist:{{{1}}}|[[X|{{{1}}}]]|{{{1}}}}}", "{1}"),
        ("\n{{{1}}}\n<noinclude>\ndoc</noinclude>", "{1}"),
        ("{{{1}}}<ref>{{{2}}}</ref><nowiki/>", "{1}"),
        ("{{{1}}}<noinclude>" + "doc " * 9000, "{1}"),
        ("<span style='display:none'>0<span>1</span></span>{{{1}}}", "{1}"),
        ("<nowiki>{{{1}}}</nowiki>", ""),
    ],
)
def test_rules(source: str, rule: str) -> None:
    """A pattern where one says the same, else the definition without what no text shows."""
    if rule:
        assert rule_of(source) == rule
    else:
        assert isinstance(reduce_definition(source, EN), Refused)


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("{{#invoke:Convert|convert}}", "Lua"),
        ("{{#if:a|{{#invoke:b|c}}}}", "Lua"),
        ("{|\n| {{{1}}}\n|}", "table"),
        ("<table><tr><td>{{{1}}}</td></tr></table>", "table"),
        ("|-\n| {{{1}}} || {{{2}}}", "table"),
        ("! scope=row {{!}} {{{1}}}", "table"),
        ("<div class='navbox'>{{{1}}}</div>", "box"),
        ("<div style='float:right'>{{{1}}}</div>", "box"),
        ("<sup class='noprint'>[citation needed]</sup>", "notice"),
        ("See [[Wikipedia:Notability|the rules]]", "notice"),
        ("See [[Vorlage Diskussion:X]], [[Hilfe:A|b]]", "notice"),
        ("{{CURRENTYEAR}}", "clock"),
        ("{{#time:Y|{{{1}}}}}", "clock"),
        ("<div class='hatnote'>See {{{1}}}</div>", "notice"),
        ("{{#ifexist:{{{1}}}|a}}", "#ifexist"),
        ("{{#property:P1}}", "#property"),
        ("{{{{{1}}}|a}}", "a name made of arguments"),
        ("{{country data {{{1}}}|a}}", "a name made of arguments"),
        ("<math>{{{1}}}</math>", "tag <math>"),
        ("{{#tag:poem|{{{1}}}}}", "tag <poem>"),
        ("<span style='{{#if:{{{1|}}}|display:none}}'>a</span>", "hidden on a condition"),
        ("<span style='display:none'>a", "unbalanced tags"),
        ("{{{1", "unbalanced braces"),
        ("[[Category:X]]<noinclude>doc</noinclude>", "shows nothing"),
        ("<ref>{{{1}}}</ref>", "shows nothing"),
        ("word " * 100, "long"),
        ("{{{1}}}" + "word " * 900, "long"),
        ("x" * 30_000, "long"),
    ],
)
def test_what_is_left_alone(source: str, reason: str) -> None:
    """With the reason, which the command counts."""
    outcome = reduce_definition(source, load_site("de"), {12: "Hilfe"})
    assert outcome == Refused(reason)


@pytest.mark.parametrize(
    ("source", "page", "text"),
    [
        ("{{{1|a}}}", "x {{t}} {{t|b}} {{t|}}.", "x a b."),
        ("{{{a|{{{1|{{{b|c}}}}}}}}}", "{{t}} {{t|1}} {{t|b=2}} {{t|1|a=3}}", "c 1 2 3"),
        ("{{#if:{{{1|}}}|y|n}}", "{{t}} {{t|}} {{t| }} {{t|1}}", "n n n y"),
        ("{{#if:{{{1}}}|y|n}}", "{{t}} {{t|}}", "y n"),
        ("{{#ifeq:{{{1}}}|02|y|n}}", "{{t|2}} {{t|3}} {{t|a}}", "y n n"),
        ("{{#switch:{{{1}}}|a|b=B|c=C|d}}", "{{t|a}} {{t|b}} {{t|c}} {{t|e}}", "B B C d"),
        ("{{#switch:{{{1}}}|#default=D|c=C}}", "{{t|c}} {{t|e}}", "C D"),
        ("{{#switch:{{{1}}}|a=A|e|#default=D}}", "{{t|a}} {{t|e}} {{t|f}}", "A D D"),
        ("{{#iferror:{{{1}}}|bad}}", "{{t|good}}", "good"),
        ("{{#ifeq:{{NAMESPACE}}|{{ns:0}}|a{{{1}}}|b}}", "{{t|x}}", "ax"),
        ("{{#ifeq:{{NAMESPACE}}|{{ns:10}}|a|b{{{1}}}}}", "{{t|x}}", "bx"),
        ("{{uc:{{{1}}}}}{{lc:{{{1}}}}}", "{{t|aB}}", "ABab"),
        ("[[{{{1}}}|{{{2|{{{1}}}}}}]]", "{{t|A}} {{t|A|b}}", "A b"),
        ("[[{{{1}}}{{#if:{{{2|}}}|{{!}}{{{2}}}}}]]", "{{t|A}} {{t|A|b}}", "A b"),
        ("[[:fr:{{{1}}}|{{{1}}}]]", "{{t|A}}", "A"),
        ("[{{fullurl:{{{1}}}}} {{{2}}}]", "{{t|A}}x", "x"),
        ("[http://a.org/{{urlencode:{{{1}}}}} {{{1}}}]", "{{t|A b}}", "A b"),
        ("{{{1}}}<br />{{{2}}}", "{{t|a|b}}", "a\nb"),
        ("* {{{1}}}\n* {{{2}}}", "x {{t|a|b}}\ny", "x\na\nb\ny"),
        ("* {{{1}}}\n* {{{2}}}", "x\n{{t|a|b}}\n\ny", "x\na\nb\n\ny"),
        ("'''{{{1}}}''' {{convert|{{{2}}}|km2}}", "{{t|a|5}}", "a 5 km²"),
        ("{{PAGENAME}}{{NAMESPACE}} {{{1}}}", "{{t|a}}.", "a."),
        ("{{#tag:ref|x}}{{{1}}}", "{{t|a}}", "a"),
        ("{{#expr:{{{1}}}*2}} {{padleft:{{{1}}}|3|0}}", "{{t|08}} {{t|5}}", "16 008 10 005"),
        ("{{#ifexpr:{{{1}}}>2 and {{{1}}}<9|y|n}}", "{{t|3}} {{t|2}} {{t|a}}.", "y n."),
        ("{{#iferror:{{#expr:{{{1}}}/{{{2}}}}}|none}}", "{{t|1|4}} {{t|1|0}}", "0.25 none"),
        ("{{{1}}}<span class='noprint'> (age {{{2}}})</span>", "{{t|a|b}}.", "a."),
        ("{{#if:{{{2|}}}|{{{1}}}={{{2}}}}}", "{{nowrap|{{t|a|b}}}}", "a=b"),
    ],
)
def test_evaluation(source: str, page: str, text: str) -> None:
    """Conditions, defaults, links and calls are read as in MediaWiki."""
    assert shown(source, page) == text


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("1 + 2 * 3", 7),
        ("(1 + 2) * 3 - -4", 13),
        ("7 mod 4 + 2 ^ 3", 11),
        ("2 / 3 round 2", 0.67),
        ("-2.5 round 0", -3),
        ("15 round -1", 20),
        ("1 = 1.0 and 2 <> 3 or 0", 1),
        ("not (1 >= 2)", 1),
        ("trunc 2.9 + ceil 2.1 + floor 2.9 + abs -1", 8),
        ("5 − 3", 2),
        ("1e3", 1000),
        ("", 0),
        ("1 / 0", None),
        ("1 +", None),
        ("1 2", None),
        ("2 ^ 99999", None),
        ("foo", None),
        ("(1", None),
        ("1,5", None),
        ("(" * 400 + "1", None),
        ("9" * 600, None),
    ],
)
def test_expressions(expression: str, value: float | None) -> None:
    """MediaWiki's precedence; what is none has no value, and never raises."""
    assert calculate(expression) == value


def test_words_of_the_language() -> None:
    """Parser functions have local names."""
    assert (
        shown("{{#ha:{{{1|}}}|{{#switch:{{{1}}}|#alapértelmezett=x}}|n}}", "{{t|a}} {{t}}", "hu")
        == "x n"
    )


def test_templates_call_others() -> None:
    """With arguments by position and by name, and through redirects."""
    text = shown("{{U|{{{1}}}|b={{{2|}}}}} {{U|c}}", "{{t|x|y}}", U="({{{1}}}{{{b|z}}})")
    assert text == "(xy) (cz)"


def test_what_depends_on_a_refused_one_is_refused() -> None:
    """The reason names the root; a template that the data knows may be called."""
    sources = {
        "TestA": "{{testB|{{{1}}}}}",
        "TestB": "{{testC}}",
        "TestC": "{{#invoke:x}}",
        "TestD": "{{Nowhere}}",
        "TestE": "{{testF}}",
        "TestF": "{{testE}}",
        "TestG": "{{testH}}",
        "TestH": "{{{1}}}",
        "TestI": "{{convert|{{{1}}}|km}}",
    }
    outcomes = resolve(
        {name: reduce_definition(source, EN) for name, source in sources.items()},
        {"Nowhere": "Nothing"},
        EN,
    )
    reasons = {n: o.reason if isinstance(o, Refused) else o.rule for n, o in outcomes.items()}
    assert reasons == {
        "TestA": "calls TestC: Lua",
        "TestB": "calls TestC: Lua",
        "TestC": "Lua",
        "TestD": "calls Nowhere: not in the dump",
        "TestE": "calls itself",
        "TestF": "calls itself",
        "TestG": "@wikitext {{testH}}",
        "TestH": "{1}",
        "TestI": "@wikitext {{convert|{{{1}}}|km}}",
    }


def test_redirects_are_followed_a_few_times() -> None:
    """A loop leads nowhere."""
    chain = {f"A{i}": f"A{i + 1}" for i in range(9)}
    assert follow("A5", chain) == "A9"
    assert follow("A0", chain) == "A0"
    assert follow("X", {"X": "Y", "Y": "X"}) == "X"


@pytest.mark.parametrize(
    "rules",
    [
        {"@wikitext {{u|{{{1}}}{{{1}}}}}": ["T"], "@wikitext {{t|{{{1}}}{{{1}}}}}": ["U"]},
        {"@wikitext " + "{{{1}}}" * 500: ["T"]},
    ],
)
def test_no_template_takes_forever(rules: dict[str, list[str]]) -> None:
    """A cycle that a user's file holds, or a text that grows, is given up and dropped."""
    site = load_site("en", extra={"definitions": {"en": rules}})
    assert to_text("a {{t|" + "x" * 5000 + "}} b", site).text == "a b"


_PIECES = st.lists(
    st.sampled_from(
        [
            *("{{", "}}", "{{{", "}}}", "|", "=", "[[", "]]", "1", "#if:", "#switch:", "#expr:"),
            *("t", "\n* ", "<sup>", "</sup>", "<noinclude>", "</noinclude>", "</span>", " ", "-"),
            "<span style='display:none'>",
        ]
    ),
    max_size=30,
)


@given(_PIECES, _PIECES)
def test_any_definition_is_reduced_or_refused(definition: list[str], use: list[str]) -> None:
    """Nothing raises, whatever a wiki's writers leave; no marker stays in the text."""
    outcome = reduce_definition("{{{1|a}}}" + "".join(definition), EN)
    if isinstance(outcome, Definition):
        site = load_site("en", extra={"definitions": {"en": {outcome.rule: ["T"]}}})
        page = "x {{t|" + "".join(use).replace("{", "").replace("}", "") + "|b}} y"
        text = to_text(page, site).text
        assert text.startswith("x")
        assert not any("\ufdd0" <= character <= "\ufdef" for character in text)
