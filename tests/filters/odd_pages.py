"""Pages of any characters, for what must hold of every page."""

from hypothesis import strategies as st

from filters.characters import PUNCTUATION

# Any character, and more often those that a rule is about: sigmas and what may stand beside them,
# white space and controls of all kinds, digits, marks, letters that grow when lower-cased.
CHARACTERS = st.one_of(
    st.characters(),
    st.sampled_from(
        "aAé\u03a3\u03c3\u03c2.\u2019\u00ad\u0345\u0301\u093e\n\t\r\x0b\x1c\x1f\x7f\x85\x9f\xa0\u2028\u3000\ufeff"
        "\u0130\u01c5\u1e9e\ud55c\u212b1\uff11\u0663\u0969\U0001d7d9\u00b2\u00bd\u2160\U0001f600\ud800\udfff"
    ),
    st.sampled_from(sorted(PUNCTUATION)),
)
PAGES = st.text(CHARACTERS)
