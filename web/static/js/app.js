import htmx from 'htmx.org';
import './live.js';
import './keys.js';
import './dialogs.js';
import './rows.js';
import './times.js';
import './menus.js';
import './toasts.js';
import './preview.js';
import './passkeys.js';

window.htmx = htmx;
