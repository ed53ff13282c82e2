# The types of the extension module in _lines.c.
from collections.abc import Callable

def pair_apostrophes(text: str, unpaired: Callable[[str], str], /) -> str: ...
def repair_gaps(text: str, /) -> str: ...
def join_lines(
    text: str,
    item_of: Callable[[str], str],
    parts_of: Callable[[str], list[str]],
    is_row: Callable[[str], bool],
    /,
) -> tuple[str, bool]: ...
