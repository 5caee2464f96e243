// Owns the pieces that several pages are made of: badges, figures, dialogs, messages.
// Must not fetch or change anything.
import { el, replace } from '/shared/dom.js';
import { errorText, t } from '/shared/i18n.js';
import { ageWords, dial, figure, mark } from '/shared/words.js';

export const badge = (kind, text, sign) =>
  el('span', { class: `badge ${kind}` }, sign && el('span', { 'aria-hidden': 'true' }, `${sign} `), text);

const statusSigns = { admitting: ['good', '✓'], consult: ['some', '☎'], full: ['none', '■'], stopped: ['none', '✕'] };

// Of a figure that expired it is only what was said last.
export function statusBadge(status, expired = false) {
  const said = t(`status.${status ?? 'unknown'}`);
  const [kind, sign] = (!expired && statusSigns[status]) || ['unknown', '?'];
  return badge(kind, expired && status ? t('status.last', { status: said }) : said, sign);
}

const freshSigns = { current: ['quiet', '✓'], due: ['some', '◔'], expired: ['unknown', '?'] };

export const freshBadge = (freshness) => badge(freshSigns[freshness][0], t(`freshness.${freshness}`), freshSigns[freshness][1]);

// An age that counts on while the page stands: see keepAges.
export const age = (value) => el('time', { datetime: value, class: 'age' }, ageWords(value));

export function keepAges(root, signal) {
  const timer = setInterval(() => {
    for (const element of root.querySelectorAll('time.age')) element.textContent = ageWords(element.dateTime);
  }, 20000);
  signal.addEventListener('abort', () => clearInterval(timer));
}

export function figureNode(row, of = row) {
  const found = figure(of);
  const said = found.level === 'unknown' || of.light ? found.text : t('figure.free', { figure: found.text });
  return el('span', { class: `figure ${found.level}` },
    el('span', { class: 'mark', 'aria-hidden': 'true' }, mark[found.level]),
    el('span', { class: 'number' }, found.text), of.light || found.level === 'unknown' ? null : el('span', { class: 'of' }, said.slice(found.text.length)),
    found.detail && el('span', { class: 'of' }, ` ${found.detail}`));
}

export function phoneNode(phone) {
  const digits = dial(phone);
  return digits.replace('+', '').length > 2 ? el('a', { href: `tel:${digits}`, class: 'phone' }, phone) : el('span', {}, phone);
}

// Text for one moment that a screen reader says too. keep: stays until the next.
export function message() {
  const box = el('p', { class: 'message', role: 'status' });
  return {
    box,
    say(text, kind = 'good', ...more) {
      box.className = `message ${kind}`;
      replace(box, text, more);
    },
    clear() { replace(box); },
  };
}

// A button that does something once at a time and shows what it failed with beside it.
export function act(label, work, attributes = {}) {
  const error = el('span', { class: 'error', role: 'alert' });
  let busy = false; // not `disabled`: that would take the focus away
  const button = el('button', {
    type: 'button', ...attributes,
    onclick: async () => {
      if (busy) return;
      error.textContent = '';
      busy = true;
      try {
        await work(button);
      } catch (failure) {
        error.textContent = errorText(failure);
      } finally {
        busy = false;
      }
    },
  }, label);
  return el('span', { class: 'act' }, button, error);
}

// A modal question. content: elements; steps: [{ label, quiet?, danger?, work }]; work that returns
// false leaves it open. Gives { close, dialog, body }.
export function dialog(title, content, steps = [], onclose = null) {
  const heading = el('h2', { id: 'dialog-title', tabindex: '-1' }, title);
  const error = el('p', { class: 'error', role: 'alert' });
  const body = el('div', {}, content);
  const before = document.activeElement;
  const box = el('dialog', { 'aria-labelledby': 'dialog-title' });
  const close = () => box.close();
  let busy = false;
  const buttons = steps.map((step) => el('button', {
    type: 'button', class: step.quiet ? 'quiet' : step.danger ? 'danger' : null,
    onclick: async () => {
      if (busy) return;
      error.textContent = '';
      busy = true;
      try {
        if (await step.work() !== false) close();
      } catch (failure) {
        error.textContent = errorText(failure);
      } finally {
        busy = false;
      }
    },
  }, step.label));
  replace(box, heading, body, error, el('div', { class: 'buttons' }, buttons,
    el('button', { type: 'button', class: 'quiet', onclick: close }, t(steps.length ? 'dialog.cancel' : 'dialog.close'))));
  box.addEventListener('close', () => {
    box.remove();
    if (before?.isConnected) before.focus();
    onclose?.();
  });
  document.body.append(box);
  box.showModal();
  heading.focus();
  return { close, dialog: box, body };
}

// A labelled select: { row, input }. options: [value, text].
let selects = 0;
export function choice(label, options, value, attributes = {}) {
  const id = `choice-${++selects}`;
  const input = el('select', { id, ...attributes }, options.map(([v, text]) => el('option', { value: v, selected: v === value }, text)));
  return { row: el('div', { class: 'field' }, el('label', { for: id }, label), input), input };
}

export function check(label, checked, attributes = {}) {
  const input = el('input', { type: 'checkbox', checked, ...attributes });
  return { row: el('label', { class: 'check' }, input, el('span', {}, label)), input };
}

// A table with headings that has its columns' names at hand where it stands in a narrow column.
// heads: texts; rows: arrays of cells (text or elements), the first of each names its row.
export function table(caption, heads, rows) {
  return el('table', { class: 'stack', role: 'table' },
    el('caption', {}, caption),
    el('thead', { role: 'rowgroup' }, el('tr', { role: 'row' }, heads.map((h) => el('th', { scope: 'col', role: 'columnheader' }, h)))),
    el('tbody', { role: 'rowgroup' }, rows.map((cells) => el('tr', { role: 'row' }, cells.map((cell, i) =>
      el(i === 0 ? 'th' : 'td', { scope: i === 0 ? 'row' : null, role: i === 0 ? 'rowheader' : 'cell', 'data-head': heads[i] }, cell))))));
}

// At most one run at a time, and one more when it was asked for meanwhile.
export function once(work) {
  let running = null;
  let again = false;
  const run = async () => {
    do {
      again = false;
      await work();
    } while (again);
  };
  return () => {
    again = running !== null;
    running ??= run().finally(() => { running = null; });
    return running;
  };
}
