// Owns the first page: whether this agent is in touch with its network.
import { get } from '/shared/api.js';
import { el, replace } from '/shared/dom.js';
import { on } from '/shared/events.js';
import { t } from '/shared/i18n.js';

async function load(main) {
  const status = await get('/v1/status');
  const hub = status.hub;
  replace(main, el('h1', {}, status.member ?? 'Plek'),
    el('p', { class: hub.connected ? 'good' : 'warn' },
      t(hub.connected ? 'home.connected' : 'home.disconnected', { network: status.network ?? '' })));
}

export function render(main, context) {
  on(context.signal, ['status'], () => context.guard(load(main)));
  return load(main);
}
