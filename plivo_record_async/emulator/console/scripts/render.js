/** What the page shows: everything is drawn again after changes, and what is the same is kept. */

import { deliveryDetail } from "./delivery.js";
import { conferenceDetail, missingDetail, recordingDetail, requestDetail } from "./details.js";
import { action, h, morph } from "./dom.js";
import { KINDS, clockTime, short, verdict, visible } from "./explain.js";
import { renderControls } from "./faults.js";
import { LISTS, quotaWindow } from "./lists.js";

export const TABS = ["recordings", "deliveries", "requests", "faults"];
const PAGE = 50;
const LINKS = { ok: "Live", wait: "Connecting", bad: "Not connected: trying again" };
const $ = (id) => document.getElementById(id);

/** The time by the emulator's clock, in milliseconds since 1970. */
const timeNow = (world) => (world.clock?.mode === "virtual" ? Date.parse(world.clock.now) : Date.now());

/** Show what is known. `view` says which tab, page, filter and entry the reader has chosen. */
export function render(world, view) {
  renderBar(world);
  renderTabs(world, view);
  $("panel").hidden = view.tab === "faults";
  $("controls").hidden = view.tab !== "faults";
  if (view.tab === "faults") renderControls(world);
  else renderList(world, view);
  const content = view.selected === null ? null : contentOf(world, view);
  $("detail").hidden = !content;
  morph($("detail"), content?.filter(Boolean) ?? []);
}

function renderBar(world) {
  if ($("link").textContent !== LINKS[world.link]) $("link").textContent = LINKS[world.link];
  $("link").dataset.tone = world.link;
  morph($("clock"), world.clock ? [h("time", {}, clockTime(timeNow(world))), ` UTC, ${world.clock.mode}`] : []);
  if (world.clock) renderQuota(world);
  const rejected = world.rejected();
  const last = rejected.at(-1);
  morph($("attention"), last ? [h("div", {}, h("span", {}, attention(rejected.length, last)), whyButton(last))] : []);
}

function renderQuota(world) {
  const { used, per, shown } = quotaWindow([...world.requests.values()], world.quota, timeNow(world));
  morph($("window"), [shown]);
  if (!world.quota) return morph($("quota"), [`none (${used} in ${per} s)`]);
  const { limit } = world.quota;
  const value = Math.min(used, limit);
  const label = { "aria-label": "Requests in the quota's window" };
  morph($("quota"), [
    h("meter", { min: 0, max: limit, high: limit * 0.8, value, ...label }),
    `${used} of ${limit} in ${per} s`,
  ]);
}

function attention(count, last) {
  const first = count === 1 ? "1 callback was not accepted:" : `${count} callbacks were not accepted. The last one:`;
  const where = last.conference_name ? [" in ", h("bdi", {}, short(visible(last.conference_name)))] : [];
  return [`${first} ${KINDS[last.kind].toLowerCase()}`, ...where, `, ${verdict(last).label.toLowerCase()}.`];
}

const whyButton = (last) => action("Show why", "show", `deliveries/${last.id}`, { "data-testid": "why" });

function renderTabs(world, view) {
  for (const tab of TABS) {
    const button = $(`tab-${tab}`);
    button.setAttribute("aria-selected", String(tab === view.tab));
    button.tabIndex = tab === view.tab ? 0 : -1;
    const { size } = world[tab];
    button.querySelector(".count").textContent = size || tab !== "faults" ? size.toLocaleString("en") : "";
  }
  for (const element of [$("panel"), $("list")]) element.setAttribute("aria-labelledby", `tab-${view.tab}`);
}

/** The entries of a list, the oldest first. An open conference without a recording is an entry of its own. */
function entriesOf(world, tab) {
  if (tab !== "recordings") return [...world[tab].values()];
  const recordings = [...world.recordings.values()];
  const recorded = new Set(recordings.map((each) => each.conference_name));
  const open = [...world.conferences.values()].filter((each) => each.live && !recorded.has(each.name));
  return [
    ...recordings,
    ...open.map(({ name, opened_at }) => ({ conference_name: name, opened_at, conference: true })),
  ];
}

function renderList(world, view) {
  const list = LISTS[view.tab];
  const needle = view.filter.toLowerCase();
  const contains = (entry) => list.searched(entry).some((text) => text?.toLowerCase().includes(needle));
  const chosen = (entry) => view.choice === "all" || list.matches(entry, view.choice);
  const all = entriesOf(world, view.tab);
  const shown = all.filter((entry) => chosen(entry) && (!needle || contains(entry))).reverse();
  view.page = Math.max(0, Math.min(view.page, Math.ceil(shown.length / PAGE) - 1));
  const rows = shown.slice(view.page * PAGE, (view.page + 1) * PAGE);
  morph(
    $("list"),
    rows.map((entry) => list.row(entry, list.id(entry) === view.selected, world, timeNow(world))),
  );
  renderToolbar(view, list);
  $("captions").className = `captions row-${view.tab}`;
  $("captions").hidden = shown.length === 0;
  morph($("captions"), list.captions());
  morph($("empty"), shown.length ? [] : all.length ? [h("p", {}, "Nothing matches the filter.")] : emptyText(view.tab));
  morph($("pager"), shown.length > PAGE ? pager(view.page, rows.length, shown.length) : []);
}

function renderToolbar(view, list) {
  const options = Object.entries(list.choices).map(([value, label]) => h("option", { value }, label));
  morph($("show"), options);
  $("show").value = view.choice;
  $("open").hidden = view.tab !== "recordings";
  $("window").hidden = view.tab !== "requests";
}

function pager(page, count, total) {
  const [first, last, all] = [page * PAGE + 1, page * PAGE + count, total].map((each) => each.toLocaleString("en"));
  return [
    action("Newer", "page", page - 1, { disabled: page === 0, "data-testid": "newer" }),
    action("Older", "page", page + 1, { disabled: (page + 1) * PAGE >= total, "data-testid": "older" }),
    h("span", {}, `${first} to ${last} of ${all}`),
  ];
}

function emptyText(tab) {
  const texts = {
    recordings: ["No recording yet", "Point your program at this emulator, with its auth ID and auth token:"],
    deliveries: [
      "No callback yet",
      "A start with a callback_url causes callbacks, for example when its conference ends.",
    ],
    requests: ["No request yet", "Requests to the emulated API appear here."],
  };
  const [title, text] = texts[tab];
  const address = h("pre", { tabindex: "0" }, `PLIVO_BASE_URL=${location.origin}`);
  return [h("h2", {}, title), h("p", {}, text), ...(tab === "recordings" ? [address] : [])];
}

function contentOf(world, { tab, selected, checks }) {
  if (tab === "recordings") {
    const conference = selected.startsWith("~") && world.conferences.get(selected.slice(1));
    if (conference) return conferenceDetail(conference);
    const recording = world.recordings.get(selected);
    return recording ? recordingDetail(world.storyOf(recording)) : null;
  }
  const entry = world[tab].get(Number(selected));
  if (!entry) return world.clock && missingDetail(`${tab === "requests" ? "Request" : "Callback"} ${selected}`);
  if (tab === "requests") return requestDetail(entry, { recording: world.recordings.get(entry.recording_id) });
  const secure = Boolean(crypto.subtle); // browsers have it on the loopback interface and with https only
  return deliveryDetail(entry, { siblings: world.siblingsOf(entry), secure, checks });
}
