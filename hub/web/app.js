// Owns the list of the hub's pages. A page is a module with `render(main, context)`; see
// docs/web.md.
import { start } from '/shared/shell.js';
import * as users from '/shared/users.js';
import * as home from '/home.js';
import * as network from '/network.js';
import * as trend from '/trend.js';

start({
  pages: [
    { id: 'home', label: 'nav.home', render: home.render },
    { id: 'trend', label: 'nav.trend', render: trend.render },
    { id: 'network', label: 'nav.network', render: network.render },
    { id: 'users', label: 'nav.users', role: 'admin', render: (main, context) => users.render(main, context, ['viewer', 'admin']) },
  ],
});
