"""The page about telemetry, its set-up, its tables, its dashboard and its alerts agree with the code."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from pathlib import Path
from typing import Any, get_args

import pytest
from blockbuster import BlockBuster
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics import MeterProvider
from prometheus_client import REGISTRY, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from plivo_record_async.emulator import Emulator
from plivo_record_async.settings import CAPTURE_VARIABLE
from plivo_record_async.telemetry.metrics import METRICS
from plivo_record_async.telemetry.names import CONTENT, KINDS, Attribute, SpanName
from plivo_record_async.telemetry.otel import OtelTelemetry, create_instruments
from tests.support.servers.otlp_receiver import otlp_receiver
from tests.support.untyped_libraries import yaml

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "howto" / "telemetry.md").read_text()
DASHBOARD: Any = json.loads((DOCS / "_static" / "grafana-dashboard.json").read_text())
ALERTS: Any = yaml.safe_load((DOCS / "_static" / "prometheus-alerts.yml").read_text())

RULES = [rule for group in ALERTS["groups"] for rule in group["rules"]]
QUERIES = {
    **{
        f"{panel['title']}, {target['refId']}": target["expr"]
        for panel in DASHBOARD["panels"]
        for target in panel.get("targets", [])
    },
    **{rule["alert"]: rule["expr"] for rule in RULES},
}

ATTRIBUTES = {
    "plivo.client.operation.duration": (Attribute.OPERATION, Attribute.OUTCOME, Attribute.ERROR_TYPE),
    "plivo.client.outcomes": (Attribute.OPERATION, Attribute.OUTCOME, Attribute.ERROR_TYPE),
    "plivo.quota.wait.duration": (),
    "plivo.quota.pauses": (),
    "plivo.callback.delay": (Attribute.EVENT,),
    "plivo.callback.rejections": (Attribute.ERROR_TYPE, Attribute.STATUS_CODE),
}
"""The attributes of each metric. The gauge has its attribute in any case."""

PROGRAM = """
set_up_telemetry()
import asyncio
from plivo_record_async import RecordClient

async def main():
    async with RecordClient() as client:
        await client.start_recording("standup")

asyncio.run(main())
metrics.get_meter_provider().shutdown()
trace.get_tracer_provider().shutdown()
"""


def rows_with(text: str) -> list[list[str]]:
    """Return the cells of the rows of the page's tables that contain a text."""
    return [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in PAGE.splitlines()
        if line.startswith("|") and text in line
    ]


async def test_set_up_of_the_page_exports_spans_and_metrics(plivo_emulator: Emulator, blockbuster: BlockBuster) -> None:
    blockbuster.deactivate()  # a process is started
    (block,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    async with otlp_receiver() as otlp:
        environment = {
            **os.environ,
            "PLIVO_AUTH_ID": plivo_emulator.auth_id,
            "PLIVO_AUTH_TOKEN": plivo_emulator.auth_token,
            "PLIVO_BASE_URL": plivo_emulator.url,
            "OTEL_EXPORTER_OTLP_ENDPOINT": otlp.url,
        }
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", block + PROGRAM, env=environment)
        assert await asyncio.wait_for(process.wait(), 60) == 0
        assert {span.name for span in otlp.spans} == {"POST", "plivo.recording.start"}
        assert {"plivo.client.operation.duration", "plivo.client.outcomes", "plivo.quota.wait.duration"} <= otlp.metrics


def test_page_lists_every_span() -> None:
    assert all(rows_with(f"| `{name}` |") for name in get_args(SpanName))


def test_page_lists_every_attribute() -> None:
    names = {value for name, value in vars(Attribute).items() if not name.startswith("_")} - {Attribute.OPERATION}
    listed = PAGE.partition("## The spans")[2].partition("## The metrics")[0]
    assert [name for name in sorted(names) if f"`{name}`" not in listed] == []


def test_page_lists_every_metric_with_its_attributes() -> None:
    for name, metric in METRICS.items():
        ((_, instrument, attributes, meaning),) = rows_with(f"| `{name}` |")
        assert (instrument, meaning.strip()) == (f"{metric.kind}, `{metric.unit}`", metric.description)
        assert re.findall(r"`([^`]+)`", attributes) == [*ATTRIBUTES.get(name, (Attribute.STATE,))]


def test_page_lists_every_kind_of_content() -> None:
    assert f"`{CAPTURE_VARIABLE}`" in PAGE
    for kind in KINDS:
        (row,) = [row for row in rows_with(f"| `{kind}` |") if len(row) == 2]
        assert all(f"`{name}`" in row[1] for name, its in CONTENT.items() if its == kind)


# The dashboard and the alerts


@pytest.fixture(scope="module")
def exported() -> dict[str, set[str]]:
    """Return the labels of each sample that the exporter for Prometheus serves."""
    reader = PrometheusMetricReader()
    provider = MeterProvider([reader])
    instruments = create_instruments(provider.get_meter("plivo_record_async"))
    for name, attributes in ATTRIBUTES.items():
        values = dict.fromkeys(attributes, "x")
        if name in instruments.counters:
            instruments.counters[name].add(1, values)
        else:
            instruments.histograms[name].record(1, values)
    with OtelTelemetry(()).observing_active(lambda: {"unknown": 1}):
        text = generate_latest(REGISTRY).decode()
    provider.shutdown()
    samples: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            samples.setdefault(sample.name, set()).update(sample.labels)
    return samples


@pytest.mark.parametrize("query", QUERIES)
def test_every_query_uses_metrics_and_labels_that_exist(query: str, exported: dict[str, set[str]]) -> None:
    grouping = r"by \(([^)]*)\)"
    names = re.findall(r"\bplivo_\w+(?=[{)\[])", re.sub(grouping, "", QUERIES[query]))
    assert names
    labels = {
        label for group in re.findall(r"\{([^}]*)\}", QUERIES[query]) for label in re.findall(r"(\w+)\s*[=!]", group)
    }
    labels |= {label for group in re.findall(grouping, QUERIES[query]) for label in re.split(r",\s*", group)}
    for name in names:
        assert name in exported
        assert labels <= exported[name]


def test_dashboard_uses_every_metric() -> None:
    panels = " ".join(target["expr"] for panel in DASHBOARD["panels"] for target in panel.get("targets", []))
    assert [name for name in METRICS if name.replace(".", "_") not in panels] == []
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])


def test_page_explains_every_alert() -> None:
    assert [row[0].strip("`") for row in rows_with("| `Plivo")] == [rule["alert"] for rule in RULES]
    assert all(rule["annotations"]["summary"] for rule in RULES)
