// A client of the tus protocol 1.0.0 (https://tus.io/protocols/resumable-upload): sends a file in
// parts, asks after a break how much has arrived, and goes on from there.

const PART = 8 * 1024 * 1024; // bytes
const LONGEST_PAUSE = 30_000; // ms between two attempts

export class Refused extends Error {}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const csrf = () => document.cookie.match(/(?:^|; )csrftoken=([^;]*)/)?.[1] ?? "";
const base64 = (text) => btoa(String.fromCharCode(...new TextEncoder().encode(text)));

async function ask(url, options) {
  const headers = { "Tus-Resumable": "1.0.0", "X-CSRFToken": csrf(), ...options.headers };
  return fetch(url, { ...options, headers, credentials: "same-origin" });
}

// The same file is known again by this, in this browser.
const keyOf = (file) => `upload:${file.name}:${file.size}:${file.lastModified}`;

export class TusUpload {
  constructor(file, { endpoint, metadata, onProgress, onPause }) {
    Object.assign(this, { file, endpoint, metadata, onProgress, onPause });
    this.url = localStorage.getItem(keyOf(file));
    this.stopped = false;
  }

  // Resolves with the upload's address once every byte has arrived; rejects with `Refused`.
  async send() {
    let wait = 500;
    for (;;) {
      try {
        let offset = await this.#offset();
        while (offset < this.file.size) {
          if (this.stopped) return null;
          this.onProgress(offset, this.file.size);
          offset = await this.#part(offset);
          wait = 500;
        }
        this.onProgress(offset, this.file.size);
        localStorage.removeItem(keyOf(this.file));
        return this.url;
      } catch (error) {
        if (error instanceof Refused) throw error;
        this.onPause(wait);
        await pause(wait);
        wait = Math.min(2 * wait, LONGEST_PAUSE);
      }
    }
  }

  async cancel() {
    this.stopped = true;
    localStorage.removeItem(keyOf(this.file));
    if (this.url) await ask(this.url, { method: "DELETE" });
  }

  async #offset() {
    if (this.url) {
      const answer = await ask(this.url, { method: "HEAD" });
      if (answer.ok) return Number(answer.headers.get("Upload-Offset"));
      if (answer.status >= 500) throw new Error("the server has a fault");
    }
    const told = Object.entries({ filename: this.file.name, ...this.metadata });
    const answer = await ask(this.endpoint, {
      method: "POST",
      headers: {
        "Upload-Length": String(this.file.size),
        "Upload-Metadata": told.filter(([, value]) => value).map(([key, value]) => `${key} ${base64(value)}`).join(","),
      },
    });
    if (answer.status >= 500) throw new Error("the server has a fault");
    if (!answer.ok) throw new Refused(await answer.text());
    this.url = answer.headers.get("Location");
    localStorage.setItem(keyOf(this.file), this.url);
    return 0;
  }

  async #part(offset) {
    const answer = await ask(this.url, {
      method: "PATCH",
      headers: { "Upload-Offset": String(offset), "Content-Type": "application/offset+octet-stream" },
      body: this.file.slice(offset, offset + PART),
    });
    if (answer.ok) return Number(answer.headers.get("Upload-Offset"));
    if ([404, 401, 403].includes(answer.status)) throw new Refused(await answer.text());
    throw new Error(`answered ${answer.status}`); // asks for the offset and goes on
  }
}
