// Owns making elements. Text only ever becomes text: nothing here reads HTML.

// el('button', { type: 'button', onclick: f, hidden: true }, 'text', child): null and false vanish.
export function el(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith('on')) made.addEventListener(name.slice(2), value);
    else made.setAttribute(name, value === true ? '' : value);
  }
  made.append(...children.flat(Infinity).filter((c) => c !== null && c !== undefined && c !== false));
  return made;
}

// What somebody is at, by what it is and what it is called.
const called = (node) => `${node.localName} ${node.getAttribute('aria-label') ?? node.labels?.[0]?.textContent ?? node.textContent}`;

// The focus stays on what is called the same, where that is there again.
export function replace(parent, ...children) {
  const at = document.activeElement !== parent && parent.contains(document.activeElement) ? document.activeElement : null;
  const name = at && called(at);
  parent.replaceChildren(...children.flat(Infinity).filter((c) => c !== null && c !== undefined && c !== false));
  if (at && !at.isConnected) [...parent.querySelectorAll(at.localName)].find((node) => called(node) === name)?.focus({ preventScroll: true });
}

let fields = 0;
// A labelled input with room for help and for what is wrong with it: { row, input, fail(text) }.
export function field(label, attributes = {}, help = '') {
  const id = `field-${++fields}`;
  const input = el('input', { id, 'aria-describedby': `${id}-help ${id}-error`, ...attributes });
  const error = el('p', { id: `${id}-error`, class: 'error' });
  const row = el('div', { class: 'field' }, el('label', { for: id }, label), input,
    el('p', { id: `${id}-help`, class: 'help' }, help), error);
  return {
    row, input,
    fail(text) {
      error.textContent = text;
      if (text) input.setAttribute('aria-invalid', 'true');
      else input.removeAttribute('aria-invalid');
    },
  };
}
