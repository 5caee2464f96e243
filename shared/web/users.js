// Owns the page of users and tokens: who may log in and do what, programs' tokens, own password.
// A link or a token is shown once, and kept nowhere.
import { del, get, post } from '/shared/api.js';
import { el, field, replace } from '/shared/dom.js';
import { on } from '/shared/events.js';
import { dateTime, errorText, t } from '/shared/i18n.js';
import { act, choice, dialog, message, once, table } from '/shared/parts.js';

let roles = ['viewer', 'editor', 'admin'];
const roleOptions = () => roles.map((r) => [r, t(`users.${r}`)]);
const at = (kind, name, more = '') => `/v1/${kind}/${encodeURIComponent(name)}${more}`;

// Something to hand over, once.
function shown(title, help, text) {
  const box = el('input', { readonly: true, value: text, 'aria-label': title });
  dialog(title, [el('p', {}, help), box, el('p', {}, act(t('users.copy'), () => navigator.clipboard.writeText(text), { class: 'quiet' }))]);
  box.select();
}

const link = (path) => new URL(path, location.href).href;
const invited = (answer) => shown(t('users.link', { name: answer.name }), t('users.linkHelp', { when: dateTime(answer.expires_at) }), link(answer.path));

// A small form: a name, a role, one button.
function adder(label, button, send) {
  const name = field(label, { maxlength: 40, autocomplete: 'off' });
  const role = choice(t('users.role'), roleOptions(), 'viewer');
  const submit = async (event) => {
    event.preventDefault();
    name.fail(name.input.value.trim() ? '' : t('login.empty'));
    if (!name.input.value.trim()) {
      name.input.focus();
      return;
    }
    try {
      await send({ name: name.input.value.trim(), role: role.input.value });
      name.input.value = '';
    } catch (failure) {
      name.fail(errorText(failure));
    }
  };
  return el('form', { class: 'fields', novalidate: true, onsubmit: submit }, name.row, role.row, el('button', { type: 'submit' }, button));
}

function drop(kind, name, done) {
  dialog(t(`users.drop.${kind}`, { name }), [el('p', {}, t(`users.dropWhat.${kind}`))], [{
    label: t('users.remove'), danger: true,
    work: async () => {
      await del(at(kind, name));
      await done();
    },
  }]);
}

function usersTable(list, me, done) {
  const role = (u) => {
    const made = el('select', { 'aria-label': t('users.roleOf', { name: u.name }), onchange: async () => {
      try {
        await post(at('users', u.name, '/role'), { role: made.value });
      } finally {
        await done();
      }
    } }, roleOptions().map(([v, text]) => el('option', { value: v, selected: v === u.role }, text)));
    return u.name === me.user ? t(`users.${u.role}`) : made;
  };
  const does = (u) => (u.name === me.user ? '' : [
    act(t('users.reset'), async () => { invited(await post(at('users', u.name, '/reset'))); await done(); }, { class: 'quiet', 'aria-label': t('users.resetOf', { name: u.name }) }), ' ',
    el('button', { type: 'button', class: 'quiet', 'aria-label': t('users.removeOf', { name: u.name }), onclick: () => drop('users', u.name, done) }, t('users.remove'))]);
  return table(t('users.users'), ['users.name', 'users.role', 'users.state', 'users.last', 'net.do'].map((k) => t(k)),
    list.map((u) => [u.name, role(u), t(`users.${u.state}`), u.last_login_at ? dateTime(u.last_login_at) : t('age.never'), does(u)]));
}

function tokensTable(list, done) {
  if (!list.length) return el('p', {}, t('users.noTokens'));
  return table(t('users.tokens'), ['users.name', 'users.role', 'users.made', 'users.used', 'net.do'].map((k) => t(k)),
    list.map((k) => [k.name, t(`users.${k.role}`), dateTime(k.created_at), k.last_used_at ? dateTime(k.last_used_at) : t('age.never'),
      el('button', { type: 'button', class: 'quiet', 'aria-label': t('users.removeOf', { name: k.name }), onclick: () => drop('tokens', k.name, done) }, t('users.remove'))]));
}

// only: the roles there are here, where that is not all of them.
export async function render(main, { me, signal, guard }, only = roles) {
  roles = only;
  const users = el('div', {});
  const tokens = el('div', {});
  const said = message();
  const load = once(async () => {
    const [people, keys] = await Promise.all([get('/v1/users'), get('/v1/tokens')]);
    replace(users, usersTable(people, me, load));
    replace(tokens, tokensTable(keys, load));
  });
  const addUser = adder(t('users.name'), t('users.add'), async (body) => { invited(await post('/v1/users', body)); await load(); });
  const addToken = adder(t('users.tokenName'), t('users.addToken'), async (body) => {
    const made = await post('/v1/tokens', body);
    shown(t('users.token', { name: made.name }), t('users.tokenHelp'), made.token);
    await load();
  });
  replace(main, el('h1', {}, t('nav.users')), said.box, el('p', { class: 'help' }, t('users.intro')), el('h2', {}, t('users.users')), users, el('h3', {}, t('users.new')), addUser,
    el('h2', {}, t('users.tokens')), el('p', { class: 'help' }, t('users.tokensHelp')), tokens, el('h3', {}, t('users.newToken')), addToken);
  on(signal, ['users', 'tokens'], () => guard(load()));
  await load();
}
