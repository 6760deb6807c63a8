"""What a person is told of a log beside what it says: rows that were skipped or stand in no order."""

from rich.markup import escape

from orchestrator.adapters.activity_log import NAMED, Remarks
from orchestrator.cli.opening import err


def tell(remarks: Remarks) -> None:
    """Name the first few rows on standard error, then only their number."""
    for about in remarks.about_skipped:
        err.print(escape(f"skipped {about}"))
    if remarks.skipped > NAMED:
        err.print(f"skipped {remarks.skipped} rows in all")
    if remarks.late:
        named = ", ".join(remarks.about_late) + (", ..." if remarks.late > NAMED else "")
        err.print(f"rows that stand behind a later one: {remarks.late} ({named}); sorted by time they have gaps, too")
