"""The story of a conference: every request and delivery that concerns it, in order, as text."""

from __future__ import annotations

from collections.abc import Iterable

from plivo_record_async.emulator.history.entries import Delivery, ReceivedRequest

__all__ = ["explain_executions", "story_of"]

_SHOWN = 300


def explain_executions(
    conference_name: str, count: int, requests: Iterable[ReceivedRequest], deliveries: Iterable[Delivery]
) -> str:
    """Return how many starts were executed in a conference, followed by its story.

    Args:
        conference_name: The name of the conference.
        count: How many starts were executed in it.
        requests: The requests that are kept.
        deliveries: The deliveries that are kept.
    """
    executed = "1 start was" if count == 1 else f"{count} starts were"
    return f"{executed} executed in {conference_name!r}:\n{story_of(conference_name, requests, deliveries)}"


def story_of(conference_name: str, requests: Iterable[ReceivedRequest], deliveries: Iterable[Delivery]) -> str:
    """Return every request and delivery of a conference, one a line, in the order of their times.

    Args:
        conference_name: The name of the conference.
        requests: The requests that are kept.
        deliveries: The deliveries that are kept.
    """
    lines = [(each.time, _request_line(each)) for each in requests if each.conference_name == conference_name]
    lines += [(each.time, _delivery_line(each)) for each in deliveries if each.conference_name == conference_name]
    if not lines:
        return "  no request or delivery of this conference is in the log"
    return "\n".join(f"  {time:%H:%M:%S.%f} {line}" for time, line in sorted(lines, key=lambda each: each[0]))


def _request_line(request: ReceivedRequest) -> str:
    executed = "executed" if request.executed else "not executed"
    fault = f", fault {request.fault}" if request.fault else ""
    answer = "no answer" if request.status is None else f"{request.status} {request.response_body[:_SHOWN]}".rstrip()
    body = f" {request.body[:_SHOWN]}" if request.body else ""
    return f"request {request.id}: {request.method} {request.path}{body} -> {answer} ({executed}{fault})"


def _delivery_line(delivery: Delivery) -> str:
    fault = f", fault {delivery.fault}" if delivery.fault else ""
    outcome = delivery.error or (delivery.status if delivery.status is not None else delivery.state)
    return (
        f"delivery {delivery.id}: {delivery.kind} callback {delivery.callback_id}, attempt {delivery.attempt}{fault}, "
        f"{delivery.callback.method} {delivery.url} {dict(delivery.callback.fields)} -> {outcome}"
    )
