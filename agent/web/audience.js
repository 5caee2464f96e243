// Owns changing one audience of the policy: the form, the difference that the daemon works out, and
// the confirmation of exactly that. Must not apply anything that was not shown first.
import { post } from '/shared/api.js';
import { el, field } from '/shared/dom.js';
import { t } from '/shared/i18n.js';
import { check, choice, dialog } from '/shared/parts.js';
import { pick, precisionShort, precisionWords } from '/shared/words.js';

const HUB = '@hub';
export const memberLabel = (name) => (name === HUB ? t('sharing.hub') : name);

const apply = (policy, base, dry) => post('/v1/policy', { policy: JSON.stringify(policy), base_version: base }, dry ? { dry_run: '1' } : undefined);

// "rounded:5" -> sentence; a change's own text of a band has its bounds behind it.
function ofChange(precision) {
  const found = /^band (\[.*\])$/.exec(precision ?? '');
  return found ? precisionWords('band', JSON.parse(found[1])) : precision ? precisionWords(precision) : t('diff.nothing');
}

function listed(key, names, label = (n) => n) {
  return names.length ? [el('li', {}, t(key, { names: names.map(label).join(', ') }))] : [];
}

function changedNode(change, words) {
  const service = (code) => words.serviceLabel(code);
  return el('li', {}, el('strong', {}, change.audience), el('ul', {},
    listed('diff.membersAdded', change.members_added, memberLabel), listed('diff.membersRemoved', change.members_removed, memberLabel),
    listed('diff.servicesAdded', change.services_added, service), listed('diff.servicesRemoved', change.services_removed, service),
    change.precision && el('li', {}, t('diff.precision', { from: ofChange(change.precision.from), to: ofChange(change.precision.to) })),
    'history' in change && el('li', {}, t(change.history ? 'diff.historyOn' : 'diff.historyOff'))));
}

// Who sees otherwise than now: one line for all services that change alike.
function people(members, words) {
  const short = (precision) => (precision ? precisionShort(precision) : t('diff.nothing'));
  const groups = new Map();
  for (const m of members) {
    const key = JSON.stringify([m.member, m.from, m.to]);
    if (!groups.has(key)) groups.set(key, { ...m, services: [] });
    groups.get(key).services.push(words.serviceLabel(m.service));
  }
  return [...groups.values()].map((g) => el('li', {}, el('strong', {}, memberLabel(g.member)), ', ', t('diff.member', {
    services: g.services.length === words.services.length ? t('service.all') : g.services.join(', '), from: short(g.from), to: short(g.to) })));
}

// What the daemon says a policy would change, in words: who sees what otherwise than now.
export function diffNode(answer, words) {
  const { changes } = answer;
  return el('div', { class: 'diff' },
    answer.unchanged && el('p', {}, t('diff.none')),
    el('ul', {}, listed('diff.added', changes.added), listed('diff.removed', changes.removed), changes.changed.map((c) => changedNode(c, words))),
    changes.members.length > 0 && [el('h3', {}, t('diff.people')), el('ul', {}, people(changes.members, words))],
    answer.unapproved.length > 0 && el('p', { class: 'warn' }, t('diff.unapproved', { names: answer.unapproved.map(memberLabel).join(', ') })),
    answer.resumed?.length > 0 && el('p', { class: 'warn' }, t('diff.resumed', { names: answer.resumed.join(', ') })),
    el('p', { class: 'help' }, t('diff.truth')));
}

// Shows what `policy` would change and applies that, and nothing else, when it is confirmed.
export async function confirmPolicy(policy, base, words, done) {
  const answer = await apply(policy, base, true);
  dialog(t('diff.title'), diffNode(answer, words), answer.unchanged ? [] : [{
    label: t('diff.apply'),
    work: async () => {
      await apply(policy, base, false);
      await done(t('sharing.applied'));
    },
  }]);
}

export async function confirmSuggested(base, words, done) {
  const body = { suggested: true, base_version: base };
  const answer = await post('/v1/policy', body, { dry_run: '1' });
  dialog(t('diff.title'), diffNode(answer, words), [{ label: t('diff.apply'), work: async () => { await post('/v1/policy', body); await done(t('sharing.applied')); } }]);
}

// ---- the form ----

class Form {
  constructor(audience, policy, partners, words) {
    this.audience = audience;
    const [kind, step] = (audience?.precision ?? 'band').split(':');
    this.name = field(t('audience.name'), { value: audience?.name ?? '', maxlength: 40, autocomplete: 'off', disabled: Boolean(audience) }, audience ? '' : t('audience.nameHelp'));
    this.kind = choice(t('audience.precision'), ['exact', 'rounded', 'band', 'light'].map((k) => [k, t(`precision.${k}.name`)]), kind);
    this.step = field(t('audience.step'), { value: step ?? '5', inputmode: 'numeric', size: 6 });
    this.bands = field(t('audience.bands'), { value: (audience?.bands ?? [1, 3, 6]).join(', '), autocomplete: 'off' }, t('audience.bandsHelp'));
    this.explained = el('p', { class: 'help', role: 'status' });
    this.kind.input.addEventListener('change', () => this.fit());
    const names = [...partners.map((p) => p.name), HUB];
    for (const name of audience?.members ?? []) if (!names.includes(name)) names.push(name);
    this.members = names.map((name) => {
      const partner = partners.find((p) => p.name === name);
      const label = memberLabel(name) + (partner && !partner.approved ? ` (${t('partner.notApproved')})` : '');
      return [name, check(label, audience?.members.includes(name))];
    });
    this.services = [['*', check(t('audience.allServices'), audience ? audience.services.includes('*') : true)],
      ...words.services.map((s) => [s.code, check(pick(s.label) || s.code, audience?.services.includes(s.code))])];
    this.services[0][1].input.addEventListener('change', () => this.fit());
    this.history = check(t('audience.history'), audience?.history);
    const group = (legend, list) => el('fieldset', {}, el('legend', {}, legend), list.map(([, c]) => c.row));
    this.node = el('div', { class: 'form' }, this.name.row, this.kind.row, this.explained, this.step.row, this.bands.row,
      group(t('audience.members'), this.members), group(t('audience.services'), this.services), this.history.row);
    this.fit();
  }

  fit() {
    const kind = this.kind.input.value;
    this.step.row.hidden = kind !== 'rounded';
    this.bands.row.hidden = kind !== 'band';
    this.explained.textContent = t(`precision.${kind}.help`);
    const all = this.services[0][1].input.checked;
    for (const [, c] of this.services.slice(1)) c.input.disabled = all;
  }

  // Null, and the fault beside its field, when something is amiss.
  read() {
    const kind = this.kind.input.value;
    const name = this.name.input.value.trim();
    this.name.fail(/^[a-z0-9][a-z0-9_-]{0,39}$/.test(name) ? '' : t('audience.nameWrong'));
    this.step.fail(kind !== 'rounded' || Number(this.step.input.value) >= 2 ? '' : t('audience.stepWrong'));
    const bands = this.bands.input.value.split(/[ ,;]+/).filter(Boolean).map(Number);
    const rising = bands[0] === 1 && bands.length <= 8 && bands.every((b, i) => Number.isInteger(b) && (i === 0 || b > bands[i - 1]));
    this.bands.fail(kind !== 'band' || rising ? '' : t('audience.bandsWrong'));
    const wrong = [this.name, this.step, this.bands].find((f) => f.input.hasAttribute('aria-invalid'));
    wrong?.input.focus();
    if (wrong) return null;
    const chosen = (list) => list.filter(([, c]) => c.input.checked).map(([value]) => value);
    const services = chosen(this.services);
    return { name, members: chosen(this.members), services: services.includes('*') ? ['*'] : services,
      precision: kind === 'rounded' ? `rounded:${Number(this.step.input.value)}` : kind,
      ...(kind === 'band' ? { bands } : {}), history: this.history.input.checked };
  }
}

// audience null: a new one. done(text) is called once it was applied.
export function editAudience(audience, policy, partners, words, done) {
  const form = new Form(audience, policy, partners, words);
  const next = (audiences) => confirmPolicy({ audiences }, policy.version, words, done);
  const steps = [{
    label: t('audience.look'),
    work: async () => {
      const made = form.read();
      if (!made) return false;
      const others = policy.audiences.map((a) => (a === audience ? made : a));
      await next(audience ? others : [...policy.audiences, made]);
      return true;
    },
  }];
  if (audience) steps.push({ label: t('audience.drop'), quiet: true, work: () => next(policy.audiences.filter((a) => a !== audience)) });
  const opened = dialog(t(audience ? 'audience.change' : 'audience.new', { name: audience?.name ?? '' }), form.node, steps);
  (audience ? form.kind.input : form.name.input).focus();
  return opened;
}
