"""Speed and memory of reading rules for templates from a dump.

Run with `pytest -m benchmark tests/benchmarks/test_wikipedia_templates.py -s`. The dump is made of
the articles of the sample dumps, where they are beside the project, and of as many templates as
articles: definitions of some shapes, and boxes of arguments, which are refused.
"""

import time
import tracemalloc
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from filters.wikipedia.sites import load_site
from pipelines.samples.dumps import NAMESPACES, WikiPage
from pipelines.wikipedia.records import Page
from pipelines.wikipedia.templates import TemplatesConfig, WikiTemplates, make_rules
from tests.benchmarks.measure import report
from tests.filters.wikipedia.wikitext_pages import DUMPS, sample_pages
from tests.pipelines.wikipedia.wikipedia_dumps import write_dump

pytestmark = pytest.mark.benchmark

_DEFINITIONS = (
    "<span class='x'>{{{1}}}</span>&nbsp;km<noinclude>{{doc}}</noinclude>",
    "{{#if:{{{2|}}}|{{{1}}} ({{{2}}})|{{{text|{{{1|}}}}}}}}[[Category:X]]",
    "{{#switch:{{{1}}}|a|b=one|c=two|#default={{nowrap|{{{1}}}}}}}",
    "{{#invoke:Box|main}}" + "\n| {{{name|}}} = {{{value|}}}" * 40,
    "{| class='infobox'\n" + "| {{{name|}}} || {{{value|}}}\n|-\n" * 60 + "|}",
)
_NAMESPACES = {**NAMESPACES, 10: "Template"}


@pytest.mark.skipif(not DUMPS, reason="no sample dumps: set CORPUSMILL_DATA")
def test_make_rules(benchmark: BenchmarkFixture, tmp_path: Path) -> None:
    """From a plain dump to the two files."""
    articles = [page for dump in DUMPS for page in sample_pages(dump)]
    pages = [WikiPage(n, f"A{n}", page.wikitext) for n, page in enumerate(articles, 1)]
    pages += [
        WikiPage(10_000 + n, f"Template:T{n}", _DEFINITIONS[n % len(_DEFINITIONS)], ns=10)
        for n in range(len(articles) * 4)
    ]
    dump = write_dump(tmp_path, "enwiki", pages, form="xml", namespaces=_NAMESPACES)
    megabytes = Path(dump).stat().st_size / 1e6
    out = str(tmp_path / "rules.json")
    benchmark.pedantic(make_rules, (TemplatesConfig((dump,)), out, lambda _: None), rounds=3)
    if benchmark.stats:  # none with --benchmark-disable
        speed = megabytes / benchmark.stats.stats.min
        benchmark.extra_info["MB/s"] = round(speed, 1)
        report(f"rules from a dump: {speed:.1f} MB/s of XML, {megabytes:.1f} MB")


def test_memory_of_many_templates() -> None:
    """What a template leaves behind; the page itself does not stay."""
    wiki = WikiTemplates(load_site("en"), _NAMESPACES)
    count = 20_000
    tracemalloc.start()
    start = time.perf_counter()
    for n in range(count):
        source = _DEFINITIONS[n % len(_DEFINITIONS)] + f"<noinclude>{'x' * 2000}</noinclude>"
        wiki.add(Page(n, n, f"Template:T{n}", 10, None, 1, None, "wikitext", source))
    seconds = time.perf_counter() - start
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    report(f"a template: {kept / count:.0f} bytes kept, {seconds / count * 1e6:.0f} µs (traced)")
    assert kept / count < 1500
