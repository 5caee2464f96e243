// Owns the list of the hub's pages. A page is a module with `render(main, context)`; see
// docs/web.md.
import { start } from '/shared/shell.js';
import * as home from '/home.js';

start({ pages: [{ id: 'home', label: 'nav.home', render: home.render }] });
