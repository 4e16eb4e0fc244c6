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
