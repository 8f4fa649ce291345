"""Retired words and phrases stay out of the package, its messages and help texts, the README and the documentation."""

from __future__ import annotations

import re
import tokenize
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", *sorted(ROOT.glob("docs/**/*.md"))]
SOURCES = sorted((ROOT / "plivo_record_async").rglob("*.py"))

RETIRED_NAMES = {
    "Admission": "BodyLimits",
    "BadLine": "InvalidLine",
    "Board": "LiveTable",
    "Caller": "RetryingSender",
    "CameDue": "DueTimeReached",
    "Claim": "Ownership",
    "Desk": "Backend",
    "EventRuns": "LocalRuns",
    "Finding": "Assessment",
    "HandlersEnded": "HandlerProgress",
    "Heard": "ReceivedCallback",
    "LONGEST_UNPACKED": "LONGEST_DECOMPRESSED",
    "Lane": "Connector",
    "MARKS": "FILE_IDENTITY",
    "MediaPlaces": "MediaHosts",
    "News": "ListenEvent",
    "PLIVO_BEGAN": "EARLIEST_TIME",
    "Place": "CallbackPath",
    "PlaceError": "MediaUrlError",
    "Rounds": "BatchWorker",
    "SAME": "SELECT_EXISTING",
    "ShortcutTransport": "NativeTransport",
    "SignatureClaim": "SignatureHeaders",
    "StartAnswer": "StartResponse",
    "StartRefused": "StartRejected",
    "StartUnanswered": "StartOutcomeUnknown",
    "Story": "Scenario",
    "TROUBLES": "ERROR_HINTS",
    "TellingStore": "the observer of a store",
    "Terms": "TrackingPolicy",
    "_Foreign": "HttpxAdapter",
    "evidence_of_answer": "evidence_of_response",
    "explained": "to_store_error",
    "error_record": "error_object",
    "find_recut": "find_shifted_name",
    "first_look": "initial_backoff",
    "follows_doubt": "may_be_already_executed",
    "learn_surely": "apply_with_retry",
    "longest_look": "max_backoff",
    "may_be_done": "may_be_already_executed",
    "named_texts": "string_fields",
    "quiet_look": "idle_backoff",
    "read_already_done": "read_already_executed",
    "read_claim": "read_signature_headers",
    "read_gone": "read_already_executed",
    "terminated_like_ctrl_c": "end_signal",
    "web_address": "http_url",
    "weigh": "assess",
}
"""Names that stood for a metaphor or for two things, and what they are called now."""

RETIRED_PHRASES = [
    r"(was|were) cut up",
    r"are to be seen",
    r"as nearly all\b",
    r"asked of Plivo",
    r"brings? the",
    r"c[ao]mes? in time",
    r"cannot meet",
    r"changed on its way",
    r"costs nothing but",
    r"counts as dead",
    r"cut (up )?differently",
    r"ends? all watching",
    r"errs to",
    r"first lines alone",
    r"goes? away",
    r"going away",
    r"good proof",
    r"good signature",
    r"how [a-z ]{2,30} stands?\b",
    r"if absent",
    r"is due now",
    r"is left alone",
    r"is told from",
    r"is worth another",
    r"it is told",
    r"its waiters",
    r"is void\b",
    r"kept last first",
    r"legal name",
    r"made safe",
    r"may mend",
    r"knows nothing of",
    r"likes? to\b",
    r"look(s|ed|ing)? after",
    r"lost its tongue",
    r"makes no sense",
    r"met in the field",
    r"misshapen",
    r"must bear",
    r"must not be believed",
    r"nobody has to",
    r"not believed",
    r"of so long",
    r"once its turn has come",
    r"outsiders can cost",
    r"passed over",
    r"poses? as",
    r"recut",
    r"said (yes|no)\b",
    r"says? (yes|no)\b",
    r"says? in words",
    r"sent away",
    r"sent or answered",
    r"signature was made for",
    r"somebody has to",
    r"swallow(s|ed)?\b",
    r"tells? of\b",
    r"the very (item|object|thing)",
    r"there is none left",
    r"they have had their say",
    r"to go on using",
    r"turned away",
    r"unproven",
    r"vouched for",
    r"wait no longer",
    r"waiting for (its|their) turn",
    r"waits? for (its|their) turn",
    r"was heard",
    r"went away",
    r"what is due",
    r"what is left over",
    r"while it was watched",
    r"who goes",
    r"who(ever)? (looks|waits)\b",
    r"words? for people",
]
"""Figures of speech and riddles, as regular expressions."""

_PHRASES = re.compile(rf"\b(?:{'|'.join(RETIRED_PHRASES)})", re.IGNORECASE)
_HIDDEN_TESTS = re.compile(r"<!-- invisible-code-block.*?-->", re.DOTALL)


def phrases_in(text: str) -> list[str]:
    """Return the retired phrases in a text with what surrounds them, also if a phrase continues in the next line."""
    joined = re.sub(r"[ \t]*\n[ \t]*(?:# ?|\")?", " ", _HIDDEN_TESTS.sub("", text))
    return [joined[max(0, at.start() - 30) : at.end() + 30] for at in _PHRASES.finditer(joined)]


@pytest.mark.parametrize("path", [*SOURCES, *PAGES], ids=lambda path: str(path.relative_to(ROOT)))
def test_text_has_no_retired_phrase(path: Path) -> None:
    assert phrases_in(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_source_has_no_retired_name(path: Path) -> None:
    with path.open(encoding="utf-8") as source:
        names = {token.string for token in tokenize.generate_tokens(source.readline) if token.type == tokenize.NAME}
    assert names & RETIRED_NAMES.keys() == set()


def test_retired_names_stay_out_of_the_pages() -> None:
    changelog = ROOT / "docs" / "changelog.md"
    texts = [page.read_text(encoding="utf-8") for page in PAGES if page != changelog]
    assert set(re.findall(r"`(\w+)[`.(]", " ".join(texts))) & RETIRED_NAMES.keys() == set()


@pytest.mark.parametrize("text", ["Bring the names of …", "the caller went\n    away", "x  # what is\n# due"])
def test_phrase_is_found_also_across_lines(text: str) -> None:
    assert len(phrases_in(text)) == 1
