"""What the documents say can be found in the code."""

import re
from pathlib import Path

import pytest

DOCUMENTS = sorted([*Path().glob("*.md"), *Path("docs").rglob("*.md")])


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_every_link_to_a_file_leads_somewhere(document: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)\)", document.read_text())

    for link in links:
        if not link.startswith(("http://", "https://")):
            assert (document.parent / link).exists(), f"{document}: {link}"


def test_every_decision_has_a_context_a_decision_and_consequences() -> None:
    for record in Path("docs/decisions").glob("0*.md"):
        text = record.read_text()
        assert all(f"**{part}.**" in text for part in ("Context", "Decision", "Consequences")), record


def test_every_claim_of_security_names_a_test_that_exists() -> None:
    sources = "\n".join(path.read_text() for path in Path("tests").rglob("*.py"))
    named = re.findall(r"`(test_\w+)`", Path("docs/security.md").read_text())

    assert named
    assert [name for name in named if f"def {name}(" not in sources] == []
