// Owns the forms that nobody has to be logged in for: log-in, and the first password by a link.
import * as api from '/shared/api.js';
import { el, field } from '/shared/dom.js';
import { errorText, t } from '/shared/i18n.js';

const LEAST = 10; // characters; the daemon decides

// The one-time token of '#invite=...'; it never leaves the browser but in the request's body.
export const invitation = () => /^#invite=([\w-]+)$/.exec(location.hash)?.[1] ?? null;

// A form that sends once at a time, and says in text what went wrong.
function form(title, intro, fields, button, send) {
  const error = el('p', { class: 'error', role: 'alert' });
  const submit = el('button', { type: 'submit' }, button);
  const check = async (event) => {
    event.preventDefault();
    error.textContent = '';
    submit.disabled = true;
    try {
      await send();
    } catch (failure) {
      error.textContent = failure.code === 'permission' && !isSecureContext ? t('login.open') : errorText(failure);
      fields.find((f) => f.input.type === 'password')?.input.focus();
    } finally {
      submit.disabled = false;
    }
  };
  return el('form', { class: 'card', novalidate: true, onsubmit: check }, el('h1', {}, title),
    intro && el('p', {}, intro), fields.map((f) => f.row), error, submit);
}

// False, and the first empty one has the focus, when a field is empty.
function filled(fields) {
  for (const f of fields) f.fail(f.input.value ? '' : t('login.empty'));
  const empty = fields.find((f) => !f.input.value);
  empty?.input.focus();
  return !empty;
}

export function loginView(entered) {
  const user = field(t('login.user'), { autocomplete: 'username', autocapitalize: 'none', spellcheck: 'false' });
  const password = field(t('login.password'), { type: 'password', autocomplete: 'current-password' });
  return form(t('login.title'), '', [user, password], t('login.button'), async () => {
    if (filled([user, password])) entered(await api.login(user.input.value, password.input.value));
  });
}

function chosen(first, again) {
  if (!filled([first, again])) return false;
  first.fail([...first.input.value].length < LEAST ? t('invite.short', { least: LEAST }) : '');
  again.fail(first.input.value !== again.input.value ? t('invite.differs') : '');
  const wrong = [first, again].find((f) => f.input.hasAttribute('aria-invalid'));
  wrong?.input.focus();
  return !wrong;
}

// Another password for who is logged in; done() after it is kept.
export function passwordView(done) {
  const old = field(t('password.old'), { type: 'password', autocomplete: 'current-password' });
  const first = field(t('invite.password'), { type: 'password', autocomplete: 'new-password' }, t('invite.help', { least: LEAST }));
  const again = field(t('invite.again'), { type: 'password', autocomplete: 'new-password' });
  return form(t('password.title'), t('password.intro'), [old, first, again], t('password.button'), async () => {
    if (!filled([old]) || !chosen(first, again)) return;
    try {
      await api.changePassword(old.input.value, first.input.value);
    } catch (failure) {
      if (failure.code !== 'credentials') throw failure;
      old.fail(t('password.wrong'));
      old.input.focus();
      return;
    }
    done();
  });
}

export function inviteView(token, entered) {
  const first = field(t('invite.password'), { type: 'password', autocomplete: 'new-password' }, t('invite.help', { least: LEAST }));
  const again = field(t('invite.again'), { type: 'password', autocomplete: 'new-password' });
  return form(t('invite.title'), t('invite.intro'), [first, again], t('invite.button'), async () => {
    if (chosen(first, again)) entered(await api.accept(token, first.input.value));
  });
}
