/** What the emulator has told: its logs, its conferences and recordings, its faults and its clock. */

import { decisive, isRejected } from "./explain.js";

const CONTROL = "/__emulator__";
const KEPT = 20_000; // entries of each log, so that a page that stays open for days does not grow without end

/** Send one command to the control API and return its response. */
export async function call(method, path, body) {
  const response = await fetch(CONTROL + path, {
    method,
    headers: { "Content-Type": "application/json" },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(readError(text) ?? `The emulator answered ${response.status}.`);
  return text ? JSON.parse(text) : null;
}

function readError(text) {
  try {
    return JSON.parse(text).error;
  } catch {
    return null; // the response is no JSON, and its status says enough
  }
}

const LISTS = {
  conference: "conferences",
  recording: "recordings",
  request: "requests",
  delivery: "deliveries",
  fault: "faults",
};

/** Everything that the emulator has, by the name of its resource. */
export async function readAll() {
  const names = Object.values(LISTS);
  const paths = ["clock", "state?limit=0", ...names];
  const [clock, { quota }, ...lists] = await Promise.all(paths.map((path) => call("GET", `/${path}`)));
  return { clock, quota, ...Object.fromEntries(names.map((name, index) => [name, lists[index]])) };
}

/** Everything that is known; `changed` is called after each change. */
export class World {
  conferences = new Map();
  recordings = new Map();
  requests = new Map();
  deliveries = new Map();
  faults = new Map();
  clock = null;
  quota = null;
  link = "wait";
  #calls = new Map(); // by recording: the request that started it, and the callbacks that were sent for it
  #early = null; // events that arrive while everything is read
  #stale = false; // whether there was a reset while everything is read
  #changed;

  constructor(changed) {
    this.#changed = changed;
  }

  /** Read everything, and then every event, for as long as the page is open. */
  follow() {
    const source = new EventSource(`${CONTROL}/events`);
    let ended = false;
    const connectAgain = () => {
      if (ended) return;
      ended = true;
      source.close();
      this.link = "bad";
      this.#changed();
      setTimeout(() => this.follow(), 1000);
    };
    const load = () => this.#load().catch(connectAgain);
    source.onerror = connectAgain;
    source.onopen = load;
    source.addEventListener("reset", load);
    for (const kind of ["request", "delivery", "conference", "recording", "fault", "clock"]) {
      source.addEventListener(kind, (event) => this.#receive(kind, JSON.parse(event.data)));
    }
  }

  /** A recording with the request that started it, its callbacks in their order, and its conference. */
  storyOf(recording) {
    const { request = null, callbacks = new Map() } = this.#calls.get(recording.recording_id) ?? {};
    return {
      recording,
      request,
      callbacks: [...callbacks.values()],
      conference: this.conferences.get(recording.conference_name),
    };
  }

  /** The callbacks that were not accepted: the decisive attempt of each, the one that was over last at the end. */
  rejected() {
    const groups = Map.groupBy(this.deliveries.values(), keyOf).values();
    const last = [...groups].map(decisive).filter(isRejected);
    return last.sort(({ at: one }, { at: other }) => (one > other) - (one < other));
  }

  /** All attempts to deliver what an attempt delivers, with duplicates and what was sent again. */
  siblingsOf(attempt) {
    return [...this.deliveries.values()].filter((each) => keyOf(each) === keyOf(attempt));
  }

  /** Note a delivery that the emulator has returned, unless an event about it has arrived before. */
  addDelivery(entry) {
    if (!this.deliveries.has(entry.id)) this.#receive("delivery", entry);
  }

  /** Read everything. Events that arrive meanwhile are applied afterwards. */
  async #load() {
    if (this.#early !== null) {
      this.#stale = true; // everything is read once more when this has been read
      return;
    }
    this.#early = [];
    try {
      do {
        this.#stale = false;
        this.#early = [];
        this.#replace(await readAll());
      } while (this.#stale);
      for (const [kind, entry] of this.#early) this.#put(kind, entry);
      this.link = "ok";
    } finally {
      this.#early = null;
    }
    this.#changed();
  }

  #replace(snapshot) {
    const known = [this.conferences, this.recordings, this.requests, this.deliveries, this.faults, this.#calls];
    for (const entries of known) entries.clear();
    for (const [kind, path] of Object.entries(LISTS)) {
      for (const entry of snapshot[path]) this.#put(kind, entry);
    }
    this.clock = snapshot.clock;
    this.quota = snapshot.quota;
  }

  #receive(kind, entry) {
    if (this.#early !== null) return void this.#early.push([kind, entry]);
    this.#put(kind, entry);
    this.#changed();
  }

  #put(kind, entry) {
    if (kind === "conference") set(this.conferences, entry.name, entry);
    else if (kind === "recording" && entry.deleted) this.recordings.delete(entry.recording_id);
    else if (kind === "recording") set(this.recordings, entry.recording_id, entry);
    else if (kind === "fault" && entry.active) set(this.faults, entry.id, entry);
    else if (kind === "fault") this.faults.delete(entry.id);
    else if (kind === "clock") this.clock = entry;
    else if (kind === "request") this.#putRequest(entry);
    else this.#putDelivery(entry);
  }

  #putRequest(entry) {
    set(this.requests, entry.id, entry);
    if (entry.operation === "start" && entry.executed && entry.recording_id) this.#callsOf(entry).request = entry;
  }

  #putDelivery(entry) {
    set(this.deliveries, entry.id, entry);
    if (entry.recording_id) this.#callsOf(entry).callbacks.set(entry.id, entry);
  }

  #callsOf({ recording_id }) {
    if (!this.#calls.has(recording_id)) set(this.#calls, recording_id, { request: null, callbacks: new Map() });
    return this.#calls.get(recording_id);
  }
}

/** What is the same for all attempts to deliver a callback. */
const keyOf = ({ kind, recording_id, api_id }) => `${kind} ${recording_id} ${api_id}`;

function set(entries, key, entry) {
  entries.set(key, entry);
  if (entries.size > KEPT) entries.delete(entries.keys().next().value);
}
