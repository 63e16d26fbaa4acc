// A 2-D context that draws only what differs from the last time: a canvas that is drawn on is put on the screen anew, whole.

/** Between begin() and end() it notes what is asked of it, methods and properties; end() does it, if it is anything new. */
export class Sparing {
  constructor(context) {
    this.context = context;
    this.last = "";
    this.notes = [];
    return new Proxy(this, {
      get: (own, name) => {
        if (name in own) return typeof own[name] === "function" ? own[name].bind(own) : own[name];
        return (...values) => void own.notes.push([name, values]);
      },
      set: (own, name, value) => {
        if (name in own) own[name] = value;
        else own.notes.push([name, value, true]);
        return true;
      },
    });
  }

  begin() {
    this.notes = [];
  }

  end() {
    const told = JSON.stringify(this.notes);
    if (told === this.last) return;
    this.last = told;
    for (const [name, value, isProperty] of this.notes) {
      if (isProperty) this.context[name] = value;
      else this.context[name](...value);
    }
  }

  /** The canvas has been emptied. */
  forget() {
    this.last = "";
  }
}
