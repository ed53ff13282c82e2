"""Sample dumps of Wikipedia: pages of our own, and more made of the standard library's own words.

The demonstration needs some text to train on. Each module of the standard library that describes
itself becomes an article, read from its source and not imported, in the markup that articles use.
The same Python gives the same bytes.
"""

import ast
import os
import re
from collections.abc import Iterator
from pathlib import Path
from xml.sax.saxutils import escape

from pipelines.samples.dumps import WikiPage, multistream
from pipelines.samples.library import (
    described,
    paragraphs,
    parse,
    signature,
    sources,
    standard_modules,
)
from pipelines.samples.pages import LOCAL_NAMES, PAGES
from pipelines.samples.web import module_url
from tokenizer.files import write_atomically

WIKIPEDIA_SHARE = 0.25  # of a sample of all sources, at most
DATE = "20220801"
FIRST_ID = 1000  # of pages about modules
# What wikitext would read as markup, anywhere or at the start of a line.
_MARKUP = re.compile(r"\[\[|\]\]|\{\{|\}\}|''|__|~~~|^[*#:;=|!{ -]", re.MULTILINE)


def write_wikipedia_dumps(
    directory: str | os.PathLike[str], *, megabytes: float = 1.0
) -> list[Path]:
    """Write a multistream dump and its index for each of three languages.

    Args:
        directory: made if absent; files of an earlier call are replaced.
        megabytes: of wikitext, at most, beside the pages that are always there.

    Returns:
        the files written, by name.

    Raises:
        OSError: the directory cannot be written.
    """
    folder = Path(directory)
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for wiki, own in sorted(PAGES.items()):
        pages = [*own, *(_modules(int(megabytes * 1e6)) if wiki == "enwiki" else ())]
        dump, index = multistream(wiki, pages, LOCAL_NAMES[wiki])
        name = f"{wiki}-{DATE}-pages-articles-multistream"
        for path, content in (
            (folder / f"{name}-index.txt.bz2", index),
            (folder / f"{name}.xml.bz2", dump),
        ):
            write_atomically(path, content)
            written.append(path)
    return written


def _modules(max_bytes: int) -> Iterator[WikiPage]:
    """Yield articles about modules, in the order of their names."""
    page_id = FIRST_ID
    for name, source in sources(standard_modules()):
        try:
            text = module_article(name, source)
        except (SyntaxError, ValueError):
            continue
        if not text:
            continue
        max_bytes -= len(text.encode())
        if max_bytes < 0:
            return
        title = f"{name} (module)"
        yield WikiPage(page_id, title, text)
        yield WikiPage(
            page_id + 1, f"{name.replace('.', '/')}.py", f"#REDIRECT [[{title}]]", redirect=title
        )
        page_id += 2


def module_article(name: str, source: str) -> str:
    """Return an article made of a module's docstrings, or "" if it has none.

    Raises:
        SyntaxError, ValueError: the source is not Python.
    """
    tree = parse(source)
    about = ast.get_docstring(tree)
    if not about:
        return ""
    lines = f"{{{{nowrap|{source.count(chr(10)):,} lines}}}}"
    url = module_url(name)  # a page of the sample's crawl
    cited = f"<ref>{{{{cite web |url={url} |title={name}}}}}</ref>"
    return "\n\n".join(
        [
            f"{{{{Infobox module\n| name = {name}\n| language = [[Python]]\n}}}}",
            f"'''{name}''' is a module of the [[Python]] standard library, {lines} long.{cited}",
            _wikitext(about),
            *_sections(tree, "=="),
            "== References ==\n{{reflist}}",
            f"[[Category:Modules|{name}]]",
        ]
    )


def _sections(parent: ast.AST, level: str) -> Iterator[str]:
    for node, about in described(parent):
        yield (
            f'{level} {node.name.strip("_")} {level}\n<syntaxhighlight lang="python">\n'
            f"{signature(node)}\n</syntaxhighlight>\n{_wikitext(about)}"
        )
        if isinstance(node, ast.ClassDef):
            yield from _sections(node, f"{level}=")


def _wikitext(text: str) -> str:
    """Return a description as wikitext: paragraphs, and indented lines unchanged."""
    return "\n\n".join(_paragraph(*each) for each in paragraphs(text))


def _paragraph(text: str, is_code: bool) -> str:
    if is_code:
        return f"<pre>\n{escape(text)}\n</pre>"
    plain = escape(text)
    return f"<nowiki>{plain}</nowiki>" if _MARKUP.search(text) else plain
