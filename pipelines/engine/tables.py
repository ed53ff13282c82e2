"""What a finished command prints: the conservation table of a run."""

from rich.console import Console
from rich.table import Table

from pipelines.engine.ledger import Ledger

_TABLE_WIDTH = 140  # characters of a line where there is no terminal


def standard_output() -> Console:
    """Return standard output for tables, as wide as the terminal, or as the tables need."""
    found = Console()
    return found if found.is_terminal else Console(width=_TABLE_WIDTH)


def closing_table(ledger: Ledger, title: str) -> Table:
    """Return the conservation table of a run, for the terminal."""
    table = Table(title=title, title_justify="left")
    for heading in ("stage", "documents in", "out", "characters out", "rejected"):
        table.add_column(heading, justify="left" if heading in ("stage", "rejected") else "right")
    for name, tally in ledger.stages.items():
        reasons = ", ".join(f"{reason} {n:,}" for reason, n in tally.rejected.most_common())
        table.add_row(
            name,
            f"{tally.documents_in:,}",
            f"{tally.documents_out:,}",
            f"{tally.characters_out:,}",
            reasons,
        )
    table.add_section()
    bad = f"; bad records {ledger.bad_records.total():,}" if ledger.bad_records else ""
    joined = f"; joined to other documents {ledger.joined:,}" if ledger.joined else ""
    table.add_row(
        "total",
        f"{ledger.records_read:,}",
        f"{ledger.documents:,}",
        f"{ledger.characters:,}",
        f"{ledger.rejected:,}{bad}{joined}",
    )
    return table
