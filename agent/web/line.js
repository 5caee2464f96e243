// Owns one own line on the screen: its form, what follows from what people type, saving, confirming,
// undoing, and the case that somebody else changed it meanwhile. Must not know other lines.
import { post, put } from '/shared/api.js';
import { el, replace } from '/shared/dom.js';
import { errorText, t } from '/shared/i18n.js';
import { age, choice, figureNode, freshBadge, message, statusBadge } from '/shared/parts.js';
import { actorWords, number, pick, whenWords } from '/shared/words.js';

const counts = ['free', 'occupied', 'total', 'held', 'blocked', 'need'];
const times = ['blocked_until', 'next_free'];
const texts = ['blocked_reason', 'note'];
const statuses = ['', 'admitting', 'consult', 'full', 'stopped'];
let ids = 0;

export const keyOf = (line) => JSON.stringify([line.site, line.service, line.ward]);
export const nameOf = (line, words) => [words.serviceLabel(line.service), line.ward].filter(Boolean).join(', ');

// Nine digits in a row that pass the test of a citizen service number.
export function holdsCitizenNumber(text) {
  for (const [, digits] of text.matchAll(/(?=(?<!\d)((?:\d[ .-]?){8}\d)(?!\d))/g)) {
    const d = digits.replace(/\D/g, '').split('').map(Number);
    const sum = d.reduce((s, digit, i) => s + digit * (i === 8 ? -1 : 9 - i), 0);
    if (sum % 11 === 0 && sum !== 0) return true;
  }
  return false;
}

// RFC 3339 to what <input type=datetime-local> shows, and back.
function localOf(value) {
  if (!value) return '';
  const at = new Date(value);
  return new Date(at.getTime() - at.getTimezoneOffset() * 60000).toISOString().slice(0, 16);
}
const timeOf = (local) => (local ? new Date(local).toISOString() : '');

// When a figure ends by this computer's clock, whatever time that thinks it is.
const endOf = (line) => Date.now() + Date.parse(line.valid_until) - Date.parse(line.observed_at) - line.age_s * 1000;

const amount = (text) => (/^-?\d+([.,]\d+)?$/.test(text.trim()) ? Number(text.trim().replace(',', '.')) : null);

export class Line {
  // reload(): the list is to be loaded again.
  constructor(line, words, { editor, reload }) {
    this.words = words;
    this.editor = editor;
    this.reload = reload;
    this.places = [];
    this.id = `line-${++ids}`;
    this.fields = new Map();
    this.node = el('article', { class: 'line', 'aria-labelledby': `${this.id}-name` });
    this.said = message();
    this.line = line;
    this.draw();
  }

  get line() { return this.now; }

  set line(line) {
    this.now = line;
    this.ends = endOf(line);
  }

  get dirty() {
    return [...this.fields.values()].some((f) => f.input.value !== f.was);
  }

  // News of the line: taken over, unless somebody is typing here.
  take(line, places) {
    const other = JSON.stringify(places) !== JSON.stringify(this.places);
    this.places = places;
    if (!other && line.revision === this.line.revision) {
      this.line = line;
      this.drawState();
      return;
    }
    if (this.dirty) {
      this.clash(line);
      return;
    }
    const open = this.more?.open;
    const focus = document.activeElement;
    const name = this.node.contains(focus) ? focus.name : null;
    this.line = line;
    this.draw(open);
    if (name) this.fields.get(name)?.input.focus();
  }

  // ---- drawing ----

  draw(open = false) {
    const { line, words } = this;
    this.fields.clear();
    this.state = el('div', { class: 'line-state' });
    const definition = words.definition(line.service);
    const form = this.editor && words.service(line.service) ? this.form(open) : null;
    replace(this.node, el('header', {}, el('h3', { id: `${this.id}-name` }, nameOf(line, words)),
      words.attributes(line).map((text) => el('span', { class: 'of' }, text))), this.state,
    definition && el('p', { class: 'help', id: `${this.id}-definition` }, definition),
    !words.service(line.service) && el('p', { class: 'warn' }, t('line.gone')), form, this.said.box);
    this.drawState();
  }

  drawState() {
    const { line } = this;
    const freshness = this.ends <= Date.now() ? 'expired' : line.freshness;
    const expired = freshness === 'expired';
    replace(this.state, figureNode(expired ? {} : line), expired && el('span', { class: 'of' }, t('figure.last', { figure: line.available === null ? t('figure.unknown') : number(line.available) })),
      statusBadge(line.status, expired), freshBadge(freshness), el('span', {}, age(line.observed_at)),
      el('span', { class: 'of' }, t(expired ? 'line.ended' : 'line.valid', { when: whenWords(line.valid_until) })),
      line.reports_again && el('span', { class: 'of' }, t('row.reportsAgain', { when: whenWords(line.reports_again) })),
      line.actor && el('span', { class: 'of' }, t('line.by', { who: actorWords(line.actor) })));
  }

  add(name, label, input, was) {
    const id = `${this.id}-${name}`;
    const error = el('p', { class: 'error', id: `${id}-error` });
    const described = [`${id}-error`, this.words.definition(this.line.service) && `${this.id}-definition`].filter(Boolean).join(' ');
    input.id = id;
    input.name = name;
    input.value = was;
    input.setAttribute('aria-describedby', described);
    const fail = (text) => {
      error.textContent = text;
      if (text) input.setAttribute('aria-invalid', 'true');
      else input.removeAttribute('aria-invalid');
    };
    this.fields.set(name, { input, was, fail });
    return el('div', { class: `field f-${name}` }, el('label', { for: id }, label), input, error);
  }

  // What the line says or what follows from it, as text; '' when neither.
  shown(name) {
    const value = this.line[name] ?? (name === 'free' ? this.line.available : null);
    return value === null || value === undefined ? '' : String(value);
  }

  count(name) {
    const { line } = this;
    const entered = line.entered.includes(name);
    const shown = this.shown(name);
    const derived = this.places.length > 0 && name !== 'need';
    const input = el('input', { type: 'text', inputmode: 'decimal', autocomplete: 'off', size: 5, disabled: derived });
    const row = this.add(name, t(`line.${name}`), input, entered ? number(shown) : '');
    if (!entered && shown) input.placeholder = t('line.derived', { number: number(shown) });
    input.addEventListener('keydown', (event) => {
      const step = { ArrowUp: 1, ArrowDown: -1 }[event.key];
      if (!step) return;
      event.preventDefault();
      this.step(name, step);
    });
    input.addEventListener('input', () => this.typed(name));
    const label = t(`line.${name}`);
    if (name === 'total' || derived) return row;
    const less = el('button', { type: 'button', class: 'step quiet', 'aria-label': t('line.less', { what: label }), onclick: () => this.step(name, -1) }, '−');
    const plus = el('button', { type: 'button', class: 'step quiet', 'aria-label': t('line.plus', { what: label }), onclick: () => this.step(name, 1) }, '+');
    const stepper = el('span', { class: 'stepper' });
    input.replaceWith(stepper);
    stepper.append(less, input, plus);
    return row;
  }

  form(open) {
    const { line, words } = this;
    const service = words.service(line.service);
    const status = el('select', {}, statuses.map((s) => el('option', { value: s }, t(`status.${s || 'unknown'}`))));
    const note = el('input', { type: 'text', maxlength: 200, autocomplete: 'off' });
    const reason = el('input', { type: 'text', maxlength: 60, autocomplete: 'off' });
    const until = el('input', { type: 'datetime-local' });
    const next = el('input', { type: 'datetime-local' });
    this.save = el('button', { type: 'submit', disabled: true }, t('line.save'));
    this.revert = el('button', { type: 'button', class: 'quiet', hidden: true, onclick: () => { this.draw(this.more.open); this.said.clear(); } }, t('line.revert'));
    this.hold = el('button', { type: 'button', class: 'quiet', onclick: () => this.confirm() }, t('line.confirm'));
    this.hint = el('p', { class: 'help', role: 'status' });
    const attributes = (service.attributes ?? []).map((a) => {
      const options = [['', t('status.unknown')], ...a.values.map((v) => [v.code ?? v, pick(v.label) || (v.code ?? v)])];
      const select = el('select', {}, options.map(([v, text]) => el('option', { value: v }, text)));
      return this.add(a.name, pick(a.label) || a.name, select, line.attributes[a.name] ?? '');
    });
    this.more = el('details', { open }, el('summary', {}, t('line.more')),
      el('div', { class: 'fields' }, this.count('held'), this.count('blocked'), this.add('blocked_reason', t('line.blocked_reason'), reason, line.blocked_reason ?? ''),
        this.add('blocked_until', t('line.blocked_until'), until, localOf(line.blocked_until)), this.count('need'),
        this.add('next_free', t('line.next_free'), next, localOf(line.next_free)), attributes),
      this.add('note', t('line.note'), note, line.note ?? ''), el('p', { class: 'help' }, t('line.noteHelp')),
      line.undo && el('button', { type: 'button', class: 'quiet', onclick: () => this.undo() }, t('line.undo')));
    const form = el('form', { novalidate: true, onsubmit: (e) => { e.preventDefault(); this.submit(); } },
      el('div', { class: 'fields' }, this.count('free'), this.count('occupied'), this.count('total'), this.add('status', t('row.status'), status, line.status ?? '')),
      this.hint, this.places.length > 0 && this.placeList(), this.more, el('div', { class: 'buttons' }, this.save, this.hold, this.revert));
    form.addEventListener('input', () => this.changed());
    form.addEventListener('keydown', (e) => { if (e.key === 'Escape' && this.dirty) this.revert.click(); });
    return form;
  }

  // The counts follow from the places, so those are what people change.
  placeList() {
    const states = ['free', 'occupied', 'held', 'blocked'];
    return el('fieldset', {}, el('legend', {}, t('line.places')), el('p', { class: 'help' }, t('line.placesHelp')),
      el('div', { class: 'fields' }, this.places.map((place) => {
        const made = choice(place.code, states.map((s) => [s, t(`line.${s}`)]), place.state);
        made.input.addEventListener('change', (event) => {
          event.stopPropagation();
          this.work(async () => {
            await put('/v1/places', { ...this.place, code: place.code, set: { state: made.input.value } });
            return null;
          }, () => t('line.placeSaved', { code: place.code }));
        });
        return made.row;
      })));
  }

  changed() {
    this.save.disabled = !this.dirty;
    this.revert.hidden = !this.dirty;
    this.hold.disabled = this.dirty;
  }

  // ---- what follows from what is typed ----

  value(name) { return amount(this.fields.get(name).input.value); }

  put(name, value) {
    this.fields.get(name).input.value = number(String(value));
    this.fields.get(name).fail('');
  }

  step(name, by) {
    const field = this.fields.get(name);
    const now = amount(field.input.value) ?? amount(this.shown(name)) ?? 0;
    this.put(name, Math.round(Math.max(0, now + by) * 1000) / 1000);
    this.typed(name);
    this.changed();
  }

  // The total stays what it was, unless the total itself is changed: one bed more occupied is one
  // less free.
  typed(name) {
    const free = this.value('free'), occupied = this.value('occupied');
    const rest = (this.value('held') ?? 0) + (this.value('blocked') ?? 0);
    const total = this.value('total') ?? (this.line.total === null ? null : Number(this.line.total));
    this.hint.textContent = '';
    if (total === null || name === 'need') return;
    const other = { free: 'occupied', occupied: 'free', total: 'free', held: 'free', blocked: 'free' }[name];
    if (this.value(other) === null || (name !== 'total' && this.value(name) === null && name !== 'held' && name !== 'blocked')) return;
    const left = Math.round((total - rest - (other === 'occupied' ? free : occupied ?? NaN)) * 1000) / 1000;
    if (Number.isNaN(left) || left === this.value(other)) return;
    if (left < 0 && other === 'occupied') {
      this.put('occupied', 0);
      if (this.fields.get('total').input.value) this.put('total', free + rest);
      return;
    }
    this.put(other, left);
    this.hint.textContent = t('line.followed', { what: t(`line.${other}`), number: number(String(left)), total: number(String(total)) });
  }

  // ---- doing ----

  get place() {
    const { site, service, ward } = this.line;
    return { site, service, ward: ward ?? '' };
  }

  collect() {
    const set = {};
    let wrong = null;
    const refuse = (name, text) => { this.fields.get(name).fail(text); wrong ??= name; };
    for (const [name, { input, fail }] of this.fields) {
      fail('');
      if (input.disabled) continue;
      const text = input.value.trim();
      if (counts.includes(name)) {
        if (text && amount(text) === null) refuse(name, t('line.notNumber'));
        else if (text) set[name] = text.replace(',', '.');
      } else if (times.includes(name)) {
        if (text) set[name] = timeOf(text);
      } else if (texts.includes(name)) {
        if (holdsCitizenNumber(text)) refuse(name, t('line.citizenNumber'));
        else if (text) set[name] = text;
      } else if (name === 'status') {
        if (text) set.status = text;
      } else {
        set[name] = text;
      }
    }
    return { set, wrong };
  }

  reveal(name) {
    const { input } = this.fields.get(name);
    if (this.more.contains(input)) this.more.open = true;
    input.focus();
  }

  async submit() {
    const { set, wrong } = this.collect();
    if (wrong) {
      this.reveal(wrong);
      return;
    }
    await this.work(() => post('/v1/lines', { ...this.place, revision: this.line.revision, set }), (line) =>
      t('line.saved', { what: line.available === null ? t('figure.unknown') : t('figure.free', { figure: number(line.available) }) }));
  }

  confirm() {
    return this.work(async () => {
      await post('/v1/confirm', { ...this.place, revision: this.line.revision, all: true });
      return null;
    }, () => t('line.confirmed'));
  }

  undo() {
    return this.work(() => post('/v1/undo', { ...this.place, revision: this.line.revision }), () => t('line.undone'), false);
  }

  async work(send, words, undo = true) {
    if (this.busy) return;
    this.busy = true;
    try {
      const line = await send();
      if (line) {
        this.line = line;
        this.draw(this.more.open);
        this.hold.focus({ preventScroll: true }); // what had it is gone
      }
      await this.reload();
      this.said.say(`${words(line ?? this.line)} `, 'good', undo && this.line.undo && this.undoButton());
    } catch (failure) {
      this.failed(failure);
    } finally {
      this.busy = false;
      this.changed();
    }
  }

  undoButton() {
    return el('button', { type: 'button', class: 'quiet small', onclick: () => this.undo() }, t('line.undoNow'));
  }

  failed(failure) {
    const name = failure.place?.split('.').at(-1);
    if (failure.code === 'conflict') {
      if (!this.dirty) this.said.say(t('line.changedMeanwhile'), 'bad');
      this.reload();
    } else if (this.fields.has(name)) {
      this.fields.get(name).fail(errorText(failure));
      this.reveal(name);
    } else {
      this.said.say(errorText(failure), 'bad');
    }
  }

  // Somebody else changed the line; what was typed here stays until its author decides.
  clash(line) {
    if (this.clashed === line.revision) return; // it was said
    this.clashed = line.revision;
    const who = actorWords(line.actor) || t('line.somebody');
    const what = line.available === null ? t('figure.unknown') : t('figure.free', { figure: number(line.available) });
    const take = el('button', { type: 'button', onclick: () => { this.line = line; this.draw(this.more.open); this.said.say(t('line.taken')); } }, t('line.takeTheirs'));
    const mine = el('button', { type: 'button', class: 'quiet', onclick: () => { this.line = line; this.drawState(); this.said.clear(); this.submit(); } }, t('line.keepMine'));
    this.said.say(`${t('line.clash', { who, what })} `, 'bad', take, ' ', mine);
  }
}

// The form for a line that is not there yet.
export function newLine(words, sites, added) {
  const service = choice(t('row.service'), words.services.map((s) => [s.code, pick(s.label) || s.code]), words.services[0]?.code);
  const site = choice(t('line.site'), sites.map((s) => [s.name, s.name]), sites[0]?.name);
  const ward = el('input', { id: 'new-ward', maxlength: 60, autocomplete: 'off' });
  const free = el('input', { id: 'new-free', inputmode: 'decimal', size: 5, autocomplete: 'off' });
  const occupied = el('input', { id: 'new-occupied', inputmode: 'decimal', size: 5, autocomplete: 'off' });
  const definition = el('p', { class: 'help' });
  const error = el('p', { class: 'error', role: 'alert' });
  const explain = () => { definition.textContent = words.definition(service.input.value); };
  service.input.addEventListener('change', explain);
  explain();
  const labelled = (label, input) => el('div', { class: 'field' }, el('label', { for: input.id }, label), input);
  const submit = async (event) => {
    event.preventDefault();
    error.textContent = '';
    const set = {};
    if (free.value.trim()) set.free = free.value.trim().replace(',', '.');
    if (occupied.value.trim()) set.occupied = occupied.value.trim().replace(',', '.');
    const body = { service: service.input.value, site: site.input.value, revision: 0, set };
    if (ward.value.trim()) body.ward = ward.value.trim();
    try {
      await post('/v1/lines', body);
      for (const input of [ward, free, occupied]) input.value = '';
      await added();
    } catch (failure) {
      error.textContent = failure.code === 'conflict' ? t('line.exists') : errorText(failure);
    }
  };
  return el('details', { class: 'panel' }, el('summary', {}, t('line.new')),
    el('form', { novalidate: true, onsubmit: submit }, el('div', { class: 'fields' }, service.row, site.row,
      labelled(t('line.ward'), ward), labelled(t('line.free'), free), labelled(t('line.occupied'), occupied)),
    definition, error, el('button', { type: 'submit' }, t('line.add'))));
}
