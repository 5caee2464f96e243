// Owns the list of the agent's pages. A page is a module with `render(main, context)`; see
// docs/web.md.
import { start } from '/shared/shell.js';
import * as alerts from '/alerts.js';
import * as capacity from '/capacity.js';
import * as network from '/network.js';
import * as room from '/room.js';
import * as sharing from '/sharing.js';
import * as users from '/shared/users.js';

alerts.begin();
start({
  pages: [
    { id: 'room', label: 'nav.room', render: room.render },
    { id: 'capacity', label: 'nav.capacity', render: capacity.render },
    { id: 'sharing', label: 'nav.sharing', render: sharing.render },
    { id: 'network', label: 'nav.network', render: network.render },
    { id: 'users', label: 'nav.users', role: 'admin', render: users.render },
  ],
});
