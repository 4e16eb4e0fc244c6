// A client of the tus protocol 1.0.0 (https://tus.io/protocols/resumable-upload): sends a file in
// parts, asks after a break how much has arrived, and goes on from there.

export const PART = 8 * 1024 * 1024; // bytes; deploy/nginx.conf lets twice as much through
const LONGEST_PAUSE = 30_000; // ms between two attempts
const PATIENCE = 20 * 60_000; // ms of attempts without one byte of progress
// Refusals that may be over at the next attempt: a slow network, another request that still holds
// the file or has moved its end, too many at once. Every other 4xx is final.
const PASSING = [408, 409, 423, 425, 429];

export class Refused extends Error {}

const csrf = () => document.cookie.match(/(?:^|; )csrftoken=([^;]*)/)?.[1] ?? "";
const base64 = (text) => btoa(String.fromCharCode(...new TextEncoder().encode(text)));

async function ask(url, options) {
  const headers = { "Tus-Resumable": "1.0.0", "X-CSRFToken": csrf(), ...options.headers };
  return fetch(url, { ...options, headers, credentials: "same-origin" }).catch(() => {
    throw new Error("the connection broke");
  });
}

// Throw what an answer says against going on: `Refused` where it is final.
export async function check(answer) {
  if (answer.ok) return;
  if (answer.status >= 500 || PASSING.includes(answer.status)) {
    throw new Error(`the server answered ${answer.status}`);
  }
  throw new Refused(await reason(answer));
}

async function reason(answer) {
  const words = {
    401: "you are signed out; sign in again and choose the same file: it goes on.",
    403: "your session is over; reload this page and choose the same file: it goes on.",
    404: "the upload is not known here any more; choose the file again.",
    413: `a proxy in front of the site refuses parts of ${PART >> 20} MiB; whoever runs it must allow `
      + "them (nginx: client_max_body_size 16m).",
  };
  // The site refuses in plain text. Anything else is of a proxy, or a page for people.
  const isText = answer.headers.get("Content-Type")?.startsWith("text/plain");
  const told = isText ? (await answer.text()).trim() : "";
  return words[answer.status] || told || `the server answered ${answer.status}; another try would not change that.`;
}

// A header that every answer of the site has.
function told(answer, header) {
  const value = answer.headers.get(header);
  if (value === null) throw new Error("something else answered in the site's place");
  return value;
}

// The same file is known again by this, in this browser; for another project or base, or sent as
// something else, it is another upload.
const keyOf = (file, endpoint, { filename, project, base, part, scale, weights }) =>
  `upload:${[endpoint, project, filename ?? file.name, file.size, file.lastModified, base, part, scale, weights].filter(Boolean).join(":")}`;

export class TusUpload {
  // `remembers`: also what has arrived whole is known again, for a file that is one of several.
  constructor(file, { endpoint, metadata, onProgress, onPause, remembers = false }) {
    Object.assign(this, { file, endpoint, metadata, onProgress, onPause, remembers });
    this.key = keyOf(file, endpoint, metadata);
    this.url = localStorage.getItem(this.key);
    this.stopped = false;
    this.wake = () => {};
    addEventListener("online", () => this.wake());
  }

  // Resolves with the upload's address once every byte has arrived; rejects with `Refused` where
  // another attempt would change nothing, or none has helped for `PATIENCE`.
  async send() {
    let furthest = -1;
    let wait = 500;
    let lastGain = Date.now();
    for (;;) {
      try {
        for (let offset = await this.#offset(); ; offset = await this.#part(offset)) {
          if (this.stopped) return null;
          this.onProgress(offset, this.file.size);
          if (offset > furthest) [furthest, wait, lastGain] = [offset, 500, Date.now()];
          if (offset >= this.file.size) break;
        }
        if (!this.remembers) localStorage.removeItem(this.key);
        return this.url;
      } catch (error) {
        if (this.stopped) return null;
        if (error instanceof Refused) throw error;
        if (Date.now() - lastGain > PATIENCE) {
          throw new Refused(`${error.message}, for ${PATIENCE / 60_000} minutes; choose the same file later: it goes on.`);
        }
        this.onPause(wait, error.message);
        await this.#pause(wait);
        wait = Math.min(2 * wait, LONGEST_PAUSE);
      }
    }
  }

  // What cannot be told to the server now, it forgets by itself after a week.
  async cancel() {
    this.stopped = true;
    this.wake();
    localStorage.removeItem(this.key);
    if (this.url) await ask(this.url, { method: "DELETE" }).catch(() => {});
  }

  #pause(ms) {
    return new Promise((resolve) => {
      this.wake = resolve;
      setTimeout(resolve, ms);
    });
  }

  // How much has arrived. An upload that the server has forgotten begins anew.
  async #offset() {
    if (this.url) {
      const answer = await ask(this.url, { method: "HEAD" });
      if (answer.ok) return Number(told(answer, "Upload-Offset"));
      if (![404, 410].includes(answer.status)) await check(answer);
    }
    const facts = Object.entries({ filename: this.file.name, ...this.metadata });
    const answer = await ask(this.endpoint, {
      method: "POST",
      headers: {
        "Upload-Length": String(this.file.size),
        "Upload-Metadata": facts.filter(([, value]) => value).map(([key, value]) => `${key} ${base64(value)}`).join(","),
      },
    });
    await check(answer);
    this.url = told(answer, "Location");
    try {
      localStorage.setItem(this.key, this.url);
    } catch {
      // The browser's store is full: this file is not known again after a reload, nothing else.
    }
    return 0;
  }

  async #part(offset) {
    const answer = await ask(this.url, {
      method: "PATCH",
      headers: { "Upload-Offset": String(offset), "Content-Type": "application/offset+octet-stream" },
      body: this.file.slice(offset, offset + PART),
    });
    await check(answer);
    return Number(told(answer, "Upload-Offset"));
  }
}
