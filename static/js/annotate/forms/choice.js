// What forms share whose answer is one press: of a button, of an image or of a key.

const FLASH_MS = 200;

export class Choice {
  constructor(root) {
    this.root = root;
    this.stage = root.querySelector("[data-stage]");
    this.buttons = [...root.querySelectorAll("button[name=answer]")];
  }

  show(set) {
    this.set = set;
    this.root.querySelector("[data-answers]").dataset.answers = set.answers.length;
    for (const button of this.buttons) button.hidden = !set.answers.includes(button.value);
  }

  holders() { return [...this.root.querySelectorAll("[data-holder]")]; }

  setLocked(isLocked) {
    this.isLocked = isLocked;
    for (const button of this.buttons) {
      if (isLocked) button.setAttribute("aria-disabled", "true");
      else button.removeAttribute("aria-disabled");
    }
  }

  // The answers that a key may mean, for a form to say; the first that is offered counts.
  meant() { return []; }

  press(key) {
    const answer = this.meant(key).find((each) => this.set.answers.includes(each));
    return answer && { answer };
  }

  answerOf(button) { return button.value; }

  marks() { return []; }

  sent(answer) {
    const button = this.root.querySelector(`[data-answers] button[value="${answer}"]`);
    button.classList.add("chosen");
    setTimeout(() => button.classList.remove("chosen"), FLASH_MS);
  }
}
