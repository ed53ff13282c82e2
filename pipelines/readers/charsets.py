"""Decode the bytes of an HTML page to text (docs/rules/sources.md 0.2, rule 6).

The first of these that applies decides the encoding of a page: a byte order mark; the bytes are
valid UTF-8; the charset of the HTTP header; the charset that the page itself states; the bytes are
UTF-8 but for a few wrong ones; a guess. A declared encoding that the bytes contradict does not
count. A page that is valid UTF-8 is decoded as such whatever is declared, since many servers
declare one charset for all their pages. UTF-16, ISO-2022 and HZ are the exception: their bytes can
be valid UTF-8, so a declared one of them counts first, if the bytes confirm it.

Labels mean what the WHATWG Encoding Standard says in its section "Names and labels": "iso-8859-1"
is Windows-1252, "gb2312" is GB 18030, and so on. The standard refuses ISO-2022-KR and HZ to
protect browsers; this module decodes them.
"""

import re

from resiliparse.parse.encoding import detect_encoding

from pipelines.readers.rows import REPLACEMENT, REPLACEMENT_UTF8

MAX_REPLACED_SHARE = 0.01  # of the characters; a larger share shows that the encoding is wrong
STATED_BYTES = 1 << 14  # from the start of a page, searched for its charset; the standard: 1024

MARKS = {b"\xef\xbb\xbf": "utf-8", b"\xfe\xff": "utf-16-be", b"\xff\xfe": "utf-16-le"}
MARK = "\ufeff"
UTF16 = frozenset({"utf-16-be", "utf-16-le"})
# A page in one of these encodings of 7 bits must hold a shift to another character set.
SHIFTS = {
    "iso2022_jp_ext": (b"\x1b$", b"\x1b("),
    "iso2022_kr": (b"\x1b$)C",),
    "hz": (b"~{",),
}
NOT_PLAIN = re.compile(rb"[\0\x1b]|~\{")

ESCAPES = re.compile(rb"(?=\x1b)")
NOT_SHIFT_JIS = re.compile("[\uf8f0-\uf8f3]")  # Python decodes bytes without a meaning to these

HEADER_CHARSET = re.compile(r"(?i)charset\s*=\s*[\"']?\s*([^\s\"';,]{1,40})")
COMMENT = re.compile(rb"(?s)<!--.*?(?:-->|\Z)")
META_CHARSET = re.compile(
    rb"(?i)<meta\s[^>]{0,500}?charset\s*=\s*[\"']?\s*([A-Za-z0-9_.:+-]{1,40})"
    rb"|\A\s*<\?xml\s[^>]{0,100}?encoding\s*=\s*[\"']([A-Za-z0-9_.:+-]{1,40})"
)

# Python's codecs, each with the labels that the standard gives the encoding.
LABELS = {
    "utf-8": "unicode-1-1-utf-8 unicode11utf8 unicode20utf8 utf-8 utf8 x-unicode20utf8",
    "cp866": "866 cp866 csibm866 ibm866",
    "iso8859-2": "csisolatin2 iso-8859-2 iso-ir-101 iso8859-2 iso88592 iso_8859-2 "
    "iso_8859-2:1987 l2 latin2",
    "iso8859-3": "csisolatin3 iso-8859-3 iso-ir-109 iso8859-3 iso88593 iso_8859-3 "
    "iso_8859-3:1988 l3 latin3",
    "iso8859-4": "csisolatin4 iso-8859-4 iso-ir-110 iso8859-4 iso88594 iso_8859-4 "
    "iso_8859-4:1988 l4 latin4",
    "iso8859-5": "csisolatincyrillic cyrillic iso-8859-5 iso-ir-144 iso8859-5 iso88595 "
    "iso_8859-5 iso_8859-5:1988",
    "iso8859-6": "arabic asmo-708 csiso88596e csiso88596i csisolatinarabic ecma-114 iso-8859-6 "
    "iso-8859-6-e iso-8859-6-i iso-ir-127 iso8859-6 iso88596 iso_8859-6 iso_8859-6:1987",
    "iso8859-7": "csisolatingreek ecma-118 elot_928 greek greek8 iso-8859-7 iso-ir-126 "
    "iso8859-7 iso88597 iso_8859-7 iso_8859-7:1987 sun_eu_greek",
    "iso8859-8": "csiso88598e csiso88598i csisolatinhebrew hebrew iso-8859-8 iso-8859-8-e "
    "iso-8859-8-i iso-ir-138 iso8859-8 iso88598 iso_8859-8 iso_8859-8:1988 logical visual",
    "iso8859-10": "csisolatin6 iso-8859-10 iso-ir-157 iso8859-10 iso885910 l6 latin6",
    "iso8859-13": "iso-8859-13 iso8859-13 iso885913",
    "iso8859-14": "iso-8859-14 iso8859-14 iso885914",
    "iso8859-15": "csisolatin9 iso-8859-15 iso8859-15 iso885915 iso_8859-15 l9",
    "iso8859-16": "iso-8859-16",
    "koi8-r": "cskoi8r koi koi8 koi8-r koi8_r",
    "koi8-u": "koi8-ru koi8-u",
    "mac-roman": "csmacintosh mac macintosh x-mac-roman",
    "mac-cyrillic": "x-mac-cyrillic x-mac-ukrainian",
    "cp874": "dos-874 iso-8859-11 iso8859-11 iso885911 tis-620 windows-874",
    "cp1250": "cp1250 windows-1250 x-cp1250",
    "cp1251": "cp1251 windows-1251 x-cp1251",
    "cp1252": "ansi_x3.4-1968 ascii cp1252 cp819 csisolatin1 ibm819 iso-8859-1 iso-ir-100 "
    "iso8859-1 iso88591 iso_8859-1 iso_8859-1:1987 l1 latin1 us-ascii windows-1252 x-cp1252",
    "cp1253": "cp1253 windows-1253 x-cp1253",
    "cp1254": "cp1254 csisolatin5 iso-8859-9 iso-ir-148 iso8859-9 iso88599 iso_8859-9 "
    "iso_8859-9:1989 l5 latin5 windows-1254 x-cp1254",
    "cp1255": "cp1255 windows-1255 x-cp1255",
    "cp1256": "cp1256 windows-1256 x-cp1256",
    "cp1257": "cp1257 windows-1257 x-cp1257",
    "cp1258": "cp1258 windows-1258 x-cp1258",
    "gb18030": "chinese csgb2312 csiso58gb231280 gb18030 gb2312 gb_2312 gb_2312-80 gbk "
    "iso-ir-58 x-gbk",
    "big5hkscs": "big5 big5-hkscs cn-big5 csbig5 x-x-big5",
    "euc_jp": "cseucpkdfmtjapanese euc-jp x-euc-jp",
    "cp932": "csshiftjis ms932 ms_kanji shift-jis shift_jis sjis windows-31j x-sjis",
    "cp949": "cseuckr csksc56011987 euc-kr iso-ir-149 korean ks_c_5601-1987 ks_c_5601-1989 "
    "ksc5601 ksc_5601 windows-949",
    "iso2022_jp_ext": "csiso2022jp iso-2022-jp",
    "iso2022_kr": "csiso2022kr iso-2022-kr",
    "hz": "hz-gb-2312",
    "utf-16-be": "unicodefffe utf-16be",
    "utf-16-le": "csunicode iso-10646-ucs-2 ucs-2 unicode unicodefeff utf-16 utf-16le",
}
CODECS = {label: codec for codec, labels in LABELS.items() for label in labels.split()}


def codec_of(label: str) -> str:
    """Return Python's codec for a label, or "" if the standard does not define the label.

    >>> codec_of(" ISO-8859-1 "), codec_of("x-nonsense")
    ('cp1252', '')
    """
    return CODECS.get(label.strip().lower(), "")


def charset_of(content_type: str) -> str:
    """Return the charset of an HTTP Content-Type, or "" if it has none.

    >>> charset_of('text/html; Charset="Shift_JIS"')
    'Shift_JIS'
    """
    match = HEADER_CHARSET.search(content_type)
    return match.group(1) if match else ""


def stated_charset(page: bytes) -> str:
    """Return the charset that a page states in a meta element or as XML, or "" without one."""
    match = META_CHARSET.search(COMMENT.sub(b"", page[:STATED_BYTES]))
    return (match.group(1) or match.group(2)).decode() if match else ""


def decode_html(page: bytes, declared: str = "") -> tuple[str, int] | None:
    """Decode a page; a wrong byte, and a character that is cut at the end, become U+FFFD.

    Args:
        page: the bytes of the page.
        declared: the charset of its HTTP header, or "" if there is none.

    Returns:
        the text without its byte order mark, and the number of U+FFFD that replaced bytes; None if
        no encoding fits, so that over ``MAX_REPLACED_SHARE`` of the characters would be U+FFFD.
    """
    for mark, codec in MARKS.items():
        if page.startswith(mark):
            return _decode(page[len(mark) :], codec)
    is_cut = False
    try:
        text = page.decode()
    except UnicodeDecodeError as error:
        text = None
        is_cut = error.reason == "unexpected end of data"
    if text is not None and not NOT_PLAIN.search(page):
        return text, 0
    stated = codec_of(stated_charset(page))
    # A page that states UTF-16 in ASCII letters is not UTF-16; the standard reads it as UTF-8.
    codecs = [codec_of(declared), "utf-8" if stated in UTF16 else stated]
    for codec in codecs:
        if _shows(page, codec):
            return _decode(page, "utf-16-be" if page.startswith(b"\0<") else codec)
    return (text, 0) if text is not None else _decode_by_errors(page, codecs, is_cut=is_cut)


def _shows(page: bytes, codec: str) -> bool:
    """Tell whether a page holds bytes that occur only in the encoding ``codec``."""
    if codec in UTF16:
        return b"\0" in page  # each tag holds one
    return any(shift in page for shift in SHIFTS.get(codec, ()))


def _decode_by_errors(page: bytes, codecs: list[str], *, is_cut: bool) -> tuple[str, int] | None:
    """Decode a page that is not UTF-8 by the first encoding that few of its bytes contradict.

    Args:
        page: the bytes of the page.
        codecs: the declared codecs; "" for a declaration that is absent or unknown.
        is_cut: the page is UTF-8 but for a character that is cut at its end.
    """
    for codec in codecs:
        if codec and codec not in UTF16 and codec not in SHIFTS:
            decoded = _decode(page, codec)
            if _is_borne_out(*decoded) and (
                codec != "utf-8" or is_cut or _holds_more_right(*decoded)
            ):
                return decoded
    decoded = _decode(page, "utf-8")
    if _is_borne_out(*decoded) and _holds_more_right(*decoded):
        return decoded
    guess = codec_of(detect_encoding(page, from_html_meta=False) or "") or "cp1252"
    decoded = _decode(page, guess)
    return decoded if _is_borne_out(*decoded) else None


def _decode(page: bytes, codec: str) -> tuple[str, int]:
    if codec == "iso2022_jp_ext":  # decoding restarts at each escape, even after a wrong byte
        text = "".join(part.decode(codec, "replace") for part in ESCAPES.split(page))
    else:
        text = page.decode(codec, "replace")
    if codec == "cp932":
        text = NOT_SHIFT_JIS.sub(REPLACEMENT, text)
    had = page.count(REPLACEMENT_UTF8) if codec == "utf-8" else 0
    return text, text.count(REPLACEMENT) - had


def _is_borne_out(text: str, replaced: int) -> bool:
    """Tell whether so few characters were replaced that the encoding may be the right one."""
    return replaced <= max(1, MAX_REPLACED_SHARE * len(text))


def _holds_more_right(text: str, replaced: int) -> bool:
    """Tell whether a text decoded as UTF-8 has as many bytes that show UTF-8 as wrong ones.

    A page in English with a few letters of Windows-1252 has few wrong bytes, and no right ones.
    """
    return len(text.encode()) - len(text) - 2 * replaced >= replaced
