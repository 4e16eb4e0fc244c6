// What was answered and is not acknowledged yet. Every entry is stored in the browser before it is
// sent, so that a reload, a crash or a closed lid loses nothing; it leaves when the server's receipt
// is here. Where the browser keeps no database the entries are held in memory.
//
// An entry: {kind, url, fields, owner, attempted, id}. `attempted` is set before the first sending:
// from then on the server may know it, and taking it back is the server's business.

const DATABASE = "annotate";
const STORE = "outbox";
const OPEN_MS = 2000;
const KEEP_MS = 60 * 24 * 3600 * 1000;

const settled = (request) => new Promise((resolve, reject) => {
  request.onsuccess = () => resolve(request.result);
  request.onerror = () => reject(request.error);
});

function openDatabase() {
  const request = indexedDB.open(DATABASE, 1);
  request.onupgradeneeded = () => {
    request.result.createObjectStore(STORE, { keyPath: "id", autoIncrement: true });
  };
  // Some browsers never answer in private windows.
  const late = new Promise((_, reject) => setTimeout(reject, OPEN_MS, new Error("no answer")));
  return Promise.race([settled(request), late]);
}

class DatabaseStore {
  durable = true;

  constructor(database, owner) {
    this.database = database;
    this.owner = owner;
  }

  static async open(owner) {
    const store = new DatabaseStore(await openDatabase(), owner);
    for (const entry of await settled(store.#store("readonly").getAll())) {
      if (entry.at < Date.now() - KEEP_MS) await store.remove(entry.id);
    }
    return store;
  }

  #store(mode) {
    return this.database.transaction(STORE, mode).objectStore(STORE);
  }

  async all() {
    const entries = await settled(this.#store("readonly").getAll());
    return entries.filter((entry) => entry.owner === this.owner);
  }

  add(entry) {
    return settled(this.#store("readwrite").add(entry));
  }

  remove(id) {
    return settled(this.#store("readwrite").delete(id));
  }

  // Mark an entry as sent and return it; undefined when it is gone. One transaction, as is the next
  // one: of a tab that sends and a tab that takes back, exactly one succeeds.
  async claim(id) {
    const store = this.#store("readwrite");
    const entry = await settled(store.get(id));
    if (entry && !entry.attempted) await settled(store.put({ ...entry, attempted: true }));
    return entry;
  }

  async removeUnsent(id) {
    const store = this.#store("readwrite");
    const entry = await settled(store.get(id));
    if (!entry || entry.attempted) return false;
    await settled(store.delete(id));
    return true;
  }
}

class MemoryStore {
  durable = false;
  #entries;
  #last;

  constructor(entries = []) {
    this.#entries = entries;
    this.#last = Math.max(0, ...entries.map((entry) => entry.id));
  }

  async all() { return [...this.#entries]; }

  async add(entry) {
    this.#last += 1;
    this.#entries.push({ ...entry, id: this.#last });
    return this.#last;
  }

  async remove(id) { this.#entries = this.#entries.filter((entry) => entry.id !== id); }

  async claim(id) {
    const entry = this.#entries.find((each) => each.id === id);
    if (entry) entry.attempted = true;
    return entry;
  }

  async removeUnsent(id) {
    const entry = this.#entries.find((each) => each.id === id);
    if (!entry || entry.attempted) return false;
    await this.remove(id);
    return true;
  }
}

export class Outbox {
  entries = []; // oldest first; what is stored, and what is about to be
  #dropped = new Set(); // numbers of entries that left the database; it gives none twice

  constructor(store, owner) {
    this.store = store;
    this.owner = owner;
  }

  // `owner` tells whose entries these are: one page may be used by several people in turn.
  static async open(owner) {
    let store;
    try { store = await DatabaseStore.open(owner); } catch { store = new MemoryStore(); }
    const outbox = new Outbox(store, owner);
    await outbox.reload();
    return outbox;
  }

  get durable() { return this.store.durable; }
  get size() { return this.entries.length; }

  votes() { return this.entries.filter((entry) => entry.kind === "vote"); }
  has(kind) { return this.entries.some((entry) => entry.kind === kind); }
  answers(assignment) {
    return this.entries.some((entry) => entry.fields.assignment === assignment);
  }

  // Another tab may have changed the store; entries still being stored have no id yet.
  async reload() {
    const all = await this.store.all().catch(() => null);
    if (!all) return;
    // One that was dropped while this was being read is not to come back.
    const stored = this.durable ? all.filter((entry) => !this.#dropped.has(entry.id)) : all;
    this.entries = [...stored, ...this.entries.filter((entry) => entry.id === undefined)];
  }

  // Known here at once; the promise is kept when the entry is stored.
  add(kind, url, fields) {
    const entry = { kind, url, fields, owner: this.owner, attempted: false, at: Date.now() };
    this.entries.push(entry);
    entry.stored = this.#store(entry);
    return entry.stored;
  }

  async #store(entry) {
    const { stored, ...plain } = entry;
    try {
      entry.id = await this.store.add(plain);
    } catch { // the disk is full, or the database was taken away: go on in memory
      if (this.durable) {
        this.store = new MemoryStore(this.entries.filter((each) => each.id !== undefined));
      }
      entry.id = await this.store.add(plain);
    }
  }

  // The oldest entry, marked as sent; undefined when there is none. `onGone(entry)` is told of those
  // that another tab sent or took back.
  async claimOldest(onGone) {
    await this.entries[0]?.stored;
    while (this.entries.length) {
      const [first] = this.entries;
      // An unreadable store must not stop the sending: the server knows a repeat by its key.
      const entry = await this.store.claim(first.id).catch(() => first);
      if (entry) return entry;
      this.dropped(first.id);
      onGone(first);
    }
    return undefined;
  }

  async remove(id) {
    await this.store.remove(id).catch(() => {}); // it is sent once more some day, and is a repeat
    this.dropped(id);
  }

  // Another tab removed it.
  dropped(id) {
    this.#dropped.add(id);
    this.entries = this.entries.filter((entry) => entry.id !== id);
  }

  // Take an entry back that was never sent; false when it may have been.
  async removeUnsent(entry) {
    await entry.stored;
    if (!(await this.store.removeUnsent(entry.id).catch(() => false))) return false;
    this.dropped(entry.id);
    return true;
  }
}
