// Talks to the server, one request at a time and oldest answer first, until nothing is left to send
// and nothing is left to ask. Tells the other tabs of this annotator what came of it.

const USUAL_WANT = 8; // the set on the screen, and what can be judged while nobody answers
const BACK_OFF_MS = [500, 1000, 2000, 4000, 8000, 15000];
const TIMEOUT_MS = 20000;
const TRY_LATER = [408, 425, 429];

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// Nobody answered, or nobody who could: worth another try. `kind`: offline or busy.
class NoAnswerError extends Error {
  constructor(kind) {
    super(kind);
    this.kind = kind;
  }
}

function token() {
  // The cookie, not the form's field: another tab may have got a new one meanwhile.
  const cookie = document.cookie.match(/(?:^|; )csrftoken=([^;]+)/)?.[1];
  return cookie ?? document.querySelector("[name=csrfmiddlewaretoken]").value;
}

async function request(url, options = {}) {
  const abort = new AbortController();
  const timer = setTimeout(() => abort.abort(), TIMEOUT_MS);
  // In the language of this page, whatever was chosen in another tab meanwhile.
  const headers = { Accept: "application/json", "Accept-Language": document.documentElement.lang };
  try {
    const response = await fetch(url, {
      ...options, headers, redirect: "error", signal: abort.signal, cache: "no-store",
    });
    if (response.status >= 500 || TRY_LATER.includes(response.status)) throw new NoAnswerError("busy");
    const isJson = response.headers.get("Content-Type")?.includes("json");
    const body = isJson ? await response.json() : null;
    if (response.ok && !isJson) throw new NoAnswerError("busy"); // a proxy's page, not ours
    return { ok: response.ok, status: response.status, body };
  } catch (error) {
    throw error instanceof NoAnswerError ? error : new NoAnswerError("offline");
  } finally {
    clearTimeout(timer);
  }
}

function post(url, fields) {
  const body = new URLSearchParams();
  for (const [name, value] of Object.entries({ ...fields, csrfmiddlewaretoken: token() })) {
    for (const each of [value].flat()) body.append(name, each); // a list is a repeated field
  }
  return request(url, { method: "POST", body, keepalive: true });
}

/* Hears about everything through `events`:
     connection(kind)               ok, offline or busy
     settled(entry, receipt, next)  an entry was answered for good; `next` may be null
     refused(entry, error)          an entry makes no sense to the server and was dropped
     state(next)                    the server's state, asked for
     changed(isUndo)                another tab changed the outbox
     gone(entry)                    another tab sent an entry, or took it back
     lost()                         the server does not know this annotator any more */
export class Wire {
  connection = "ok";
  #running = false;
  #asked = 0; // how often a state was wanted, and how much of that is answered
  #answered = 0;
  #epoch = 0; // counts what other tabs settled: a state asked for before that is out of date
  #wake = () => {};

  // `want`: how many sets to hold; the usual number where none is given.
  constructor({ pageUrl, nextUrl, outbox, events, want }) {
    Object.assign(this, { pageUrl, nextUrl, outbox, events, want: want || USUAL_WANT });
    const name = `annotate ${outbox.owner}`;
    this.lockName = name;
    this.channel = "BroadcastChannel" in window ? new BroadcastChannel(name) : null;
    this.channel?.addEventListener("message", ({ data }) => this.#hear(data));
    addEventListener("online", () => (this.#running ? this.#wake() : this.ask()));
    addEventListener("offline", () => this.#connect("offline"));
  }

  // Store an answer, then send it.
  async send(kind, url, fields) {
    await this.outbox.add(kind, url, fields);
    this.tell({ changed: true });
    this.run();
  }

  // Ask for the server's state as soon as everything is sent.
  ask() {
    this.#asked += 1;
    this.run();
  }

  tell(message) {
    this.channel?.postMessage(message);
  }

  // Do not wait any longer before the next try.
  hurry() {
    this.#wake();
  }

  async run() {
    if (this.#running) return;
    this.#running = true;
    try { await this.#untilDone(); } finally { this.#running = false; }
  }

  async #untilDone() {
    for (let failures = 0; this.outbox.size || this.#answered < this.#asked;) {
      try {
        if (this.outbox.size) await this.#inTurn(() => this.#sendOldest());
        else await this.#fetchState();
        failures = 0;
        this.#connect("ok");
      } catch (error) {
        if (!(error instanceof NoAnswerError)) throw error;
        this.#connect(error.kind);
        const longest = BACK_OFF_MS[Math.min(failures, BACK_OFF_MS.length - 1)];
        const woken = new Promise((resolve) => { this.#wake = resolve; });
        // Not all browsers of a classroom at the same moment.
        await Promise.race([woken, pause(longest * (0.75 + Math.random() / 2))]);
        failures += 1;
      }
    }
  }

  // One tab sends at a time; where the browser cannot arrange that, the server sorts it out.
  #inTurn(work) {
    return navigator.locks ? navigator.locks.request(this.lockName, work) : work();
  }

  #connect(kind) {
    if (this.connection === kind) return;
    this.connection = kind;
    this.events.connection(kind);
  }

  async #sendOldest() {
    if (!navigator.onLine) throw new NoAnswerError("offline"); // stays unsent, and can be undone
    const entry = await this.outbox.claimOldest((gone) => this.#miss(gone));
    if (!entry) return;
    const isLast = this.outbox.size === 1;
    const fields = { ...entry.fields };
    if (entry.kind !== "questionnaire") fields.want = isLast ? this.want : 0; // there a field is an answer
    const asked = this.#asked;
    let answer = await post(entry.url, fields);
    if (answer.status === 403) { // a cookie expired: the page brings a new one
      await fetch(this.pageUrl, { cache: "no-store" }).catch(() => {});
      answer = await post(entry.url, fields);
    }
    if (answer.status === 404 && (await request(this.nextUrl)).status === 404) {
      // Signed out. The entry stays, should the same person sign in here again.
      this.events.lost();
      throw new NoAnswerError("busy");
    }
    await this.outbox.remove(entry.id);
    if (answer.ok) {
      const { receipt, next = null } = answer.body;
      if (isLast && next && fields.want) this.#answered = asked;
      else if (isLast) this.ask();
      this.#settle({ entry, receipt, next: isLast ? next : null });
    } else {
      this.#refuse({ entry, error: answer.body?.error ?? `${answer.status}` });
      this.ask();
    }
  }

  // What became of it is still to be heard; the set may not come up again until then.
  #miss(entry) {
    this.events.gone(entry);
    this.ask();
  }

  #settle(message) {
    this.events.settled(message.entry, message.receipt, message.next);
    this.tell({ settled: message, isStored: this.outbox.durable });
  }

  #refuse(message) {
    this.events.refused(message.entry, message.error);
    this.tell({ refused: message, isStored: this.outbox.durable });
  }

  async #fetchState() {
    const [asked, epoch] = [this.#asked, this.#epoch];
    const { ok, status, body } = await request(`${this.nextUrl}?want=${this.want}`);
    if (status === 404) {
      this.events.lost();
      throw new NoAnswerError("busy");
    }
    if (!ok) throw new NoAnswerError("busy");
    if (epoch !== this.#epoch) return; // ask again
    this.#answered = asked;
    this.events.state(body);
  }

  async #hear({ changed, isUndo, settled, refused, isStored }) {
    if (changed) {
      await this.outbox.reload();
      this.events.changed(isUndo);
      this.run(); // should the other tab be closed before it is done
      return;
    }
    this.#epoch += 1;
    const { entry } = settled ?? refused;
    // Entries have a common number only where both tabs use the database.
    if (isStored && this.outbox.durable) this.outbox.dropped(entry.id);
    if (settled) this.events.settled(entry, settled.receipt, settled.next);
    else this.events.refused(entry, refused.error);
  }
}
