"""Pages of three Wikipedias, written for the demonstration: each shows a rule at work.

Real dumps are not ours to copy. These hold in few words what theirs hold: redirects, talk, tables,
references, templates with text and templates without (docs/rules/sources.md 2.2 to 2.7).
"""

from pipelines.samples.dumps import NAMESPACES, WikiPage

LOCAL_NAMES = {
    "enwiki": NAMESPACES,
    "dewiki": {
        **NAMESPACES,
        1: "Diskussion",
        2: "Benutzer",
        6: "Datei",
        10: "Vorlage",
        14: "Kategorie",
    },
    "frwiki": {
        **NAMESPACES,
        -2: "Média",
        1: "Discussion",
        2: "Utilisateur",
        4: "Wikipédia",
        6: "Fichier",
        10: "Modèle",
        14: "Catégorie",
    },
}

_SUNDIAL = """\
{{Infobox instrument
| name    = Sundial
| image   = Sundial in a garden.jpg
| caption = A {{convert|30|cm|in|abbr=on}} dial
| uses    = {{hlist|time|[[latitude]]}}
}}
{{Use British English|date=June 2022}}
A '''sundial''' tells the [[Solar time|time of day]] by the place of a [[shadow]].<ref name="dial">\
{{cite book |last=Writer |first=A. |title=Dials |year=1998 |page=12}}</ref> Its oldest part is the \
''[[gnomon]]'', a rod that is parallel to the [[Axis|axis of the Earth]].<!-- not always! -->

[[File:Sundial in a garden.jpg|thumb|upright|The [[gnomon]] points to the [[celestial pole]]s]]

== Theory ==
The Earth turns {{val|15|u=degrees}} an hour, so the angle of an hour line from noon is
: <math>\\tan \\theta = \\sin \\lambda \\tan (15^\\circ t)</math>
where <math>\\lambda</math> is the latitude and ''t'' the hours since noon.{{citation needed|\
date=May 2022}}

{| class="wikitable"
|+ Hour lines at 50° north
! Hour !! Angle
|-
| 1 || 11.6°
|-
| 2 || 23.9°
|}

== Kinds ==
* '''Horizontal''' dials, the usual kind in gardens
* '''Vertical''' dials, on the walls of [[church]]es and [[town hall]]s
** those that face south
** those that face east or west
* [[Analemmatic sundial|Analemmatic]] dials, in which a person casts the shadow

== Errors ==
A sundial may be {{nowrap|16 minutes}} ahead of a clock or {{nowrap|14 minutes}} behind it; the
difference is the [[equation of time]]. It was first tabulated {{circa|1670}}.<ref>\
[http://example.org/eot The equation of time], \
[http://web.archive.org/web/20100101000000/http://example.org/eot archived]</ref>

== See also ==
* [[Hourglass]]

== References ==
{{reflist}}

{{Clocks}}
[[Category:Clocks]]
[[de:Sonnenuhr]]
"""
_HOURGLASS = """\
An '''hourglass''' measures a span of time by the sand that runs through a narrow neck. On ships it
was turned every half hour, when a bell was struck: ''eight bells'' ended a watch of four hours.

;Sand: grains of equal size, often of crushed [[marble]] or [[eggshell]]
;Neck: about ten grains wide

The sand runs at the same speed whether the glass is full or nearly empty, unlike [[water clock|\
water]], whose speed falls with its height.<ref group=note>Grains carry each other's weight to the \
walls.</ref> A glass of {{cvt|500|g}} of sand may run for an hour.

== Notes ==
{{notelist}}
[[Category:Clocks]]
"""
_DIAL = """\
'''Dial''' may refer to:
* [[Sundial]], which tells the time by a shadow
* [[Clock face]], the part of a clock with its hours
* ''The Dial'', the name of several magazines

{{disambiguation}}
"""
_TIDE = """\
{{about|the sea|the detergent|Tide (brand)}}
'''Tides''' are the rise and fall of the [[sea]] that the [[Moon]] and the [[Sun]] cause. High water
comes about every 12 hours and 25 minutes &ndash; half a ''lunar day''.

== Range ==
The largest range on record is {{convert|16.3|m|ft}}, in a bay that is {{convert|77|km}} long. On
most coasts it is between {{convert|1|and|4|m}}.

== Prediction ==
<syntaxhighlight lang="python">
def height(hours):
    return sum(a * cos(speed * hours - phase) for a, speed, phase in parts)
</syntaxhighlight>
Harbours publish tables from such sums of up to 60 <code>parts</code>.<br>They are good to a few
centimetres, storms excepted.

=== Empty section ===

== External links ==
* {{Commons category|Tides}}
* [http://example.org/tides Tables of tides]
"""
_TALK = "== Title ==\nShould this be at ''Shadow clock''? ~~~~"

_SONNENUHR = """\
{{Infobox Messgerät|Name=Sonnenuhr}}
Eine '''Sonnenuhr''' zeigt die [[Tageszeit]] durch den [[Schatten]] eines Stabes an.<ref>\
{{Literatur |Autor=A. Schreiber |Titel=Uhren |Jahr=1998}}</ref> Der Stab heißt ''Polstab'', wenn er
zur [[Erdachse]] parallel steht.

[[Datei:Sonnenuhr im Garten.jpg|mini|hochkant|Eine [[Sonnenuhr]] im Garten]]

== Genauigkeit ==
Eine Sonnenuhr geht bis zu 16 Minuten vor oder 14 Minuten nach; der Unterschied heißt
[[Zeitgleichung]]. Um 1670 wurde sie zum ersten Mal in Tafeln gefasst.

== Bauarten ==
# waagerecht, wie meist in Gärten
# senkrecht, an [[Kirche (Bauwerk)|Kirchen]] und [[Rathaus|Rathäusern]]

== Einzelnachweise ==
<references />

{{Normdaten|TYP=s|GND=0}}
[[Kategorie:Uhr]]
[[en:Sundial]]
"""
_GEZEITEN = """\
__KEIN_INHALTSVERZEICHNIS__
Die '''Gezeiten''' sind das Steigen und Fallen des [[Meer]]es durch die Anziehung von [[Mond]] und
[[Sonne]]. Hochwasser ist etwa alle 12&nbsp;Stunden und 25&nbsp;Minuten.

{{Zitat|Die Flut wartet auf niemanden.}}

== Siehe auch ==
* [[Ebbe]]
"""
_CADRAN = """\
{{Infobox Instrument}}
Un '''cadran solaire''' donne l'heure par l'[[ombre]] d'un style.<ref>{{Ouvrage|auteur=A. Auteur\
|titre=Cadrans|année=1998}}</ref> Le style est ''polaire'' quand il est parallèle à l'axe de la \
[[Terre]].

[[Fichier:Cadran solaire.jpg|vignette|droite|Un cadran dans un jardin]]

== Précision ==
Un cadran avance de {{unité|16|minutes}} au plus sur une montre, ou retarde de \
{{unité|14|minutes}} : c'est l'[[équation du temps]], connue depuis le {{s|XVII|e}}.

== Notes et références ==
{{Références}}

{{Portail|astronomie}}
[[Catégorie:Horloge]]
"""
_MAREE = """\
La '''marée''' est le mouvement de la [[mer]] que causent la [[Lune]] et le [[Soleil]]. La pleine
mer revient toutes les {{nobr|12 heures}} et 25 minutes.

== Amplitude ==
La plus grande connue est de {{unité|16.3|m}}.<ref name="baie" />
"""

PAGES = {
    "enwiki": (
        WikiPage(1, "Sundial", _SUNDIAL),
        WikiPage(2, "Shadow clock", "#REDIRECT [[Sundial]]", redirect="Sundial"),
        WikiPage(3, "Talk:Sundial", _TALK, ns=1),
        WikiPage(4, "Hourglass", _HOURGLASS),
        WikiPage(5, "Dial", _DIAL),
        WikiPage(6, "Tide", _TIDE),
        WikiPage(7, "Template:Clocks", "{{Navbox|list1=[[Sundial]]}}", ns=10),
        WikiPage(8, "Gnomon", None),
        WikiPage(9, "List of dials", "{{Dials}}\n[[Category:Clocks]]"),
    ),
    "dewiki": (
        WikiPage(1, "Sonnenuhr", _SONNENUHR),
        WikiPage(2, "Schattenuhr", "#WEITERLEITUNG [[Sonnenuhr]]", redirect="Sonnenuhr"),
        WikiPage(3, "Gezeiten", _GEZEITEN),
        WikiPage(4, "Diskussion:Gezeiten", "Gut so. --~~~~", ns=1),
    ),
    "frwiki": (
        WikiPage(1, "Cadran solaire", _CADRAN),
        WikiPage(2, "Gnomon", "#REDIRECTION [[Cadran solaire]]", redirect="Cadran solaire"),
        WikiPage(3, "Marée", _MAREE),
    ),
}
