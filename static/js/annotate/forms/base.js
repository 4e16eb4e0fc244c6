/* The forms of judgement that this page can show. A form is a template
   (`annotation/forms/PAGE.html`) and a script that registers a class for it:

     new Form(root, page)   root: the element of its template; page: {announce(words)}
     stage                  the element that holds the images
     show(set)              a set comes to the screen, and nothing is answered yet
     holders()              the elements that its images are put into, by position
     alt(position)          the words that name an image
     setLocked(isLocked)    whether answers are taken
     press(key)             undefined: not its key; {}: done; {answer}: this is the answer
     answerOf(button)       the answer that a submit button sends, or null while it is incomplete
     marks()                what is marked beside the answer
     sent(answer)           the answer is on its way

   Nothing else on the page knows how many images a set has, or what an answer looks like. */

const KINDS = new Map();

export function register(page, kind) {
  KINDS.set(page, kind);
}

export function makeForm(page, root, tools) {
  const Kind = KINDS.get(page);
  if (!Kind || !root) throw new Error(`the page has no form ${page}`);
  return new Kind(root, tools);
}

const FLASH_MS = 200;

// What forms share whose answer is one press: of a button, of an image or of a key.
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
