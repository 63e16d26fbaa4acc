// Long work as a generator that yields now and then: done in one go, or in slices of time between which the page answers.

/** Do it in one go; returns what it returns. */
export function atOnce(steps) {
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
  }
}
