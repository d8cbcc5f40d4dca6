// What the keyboard does; the sheet of all keys is the dialog with the id keys.
import { refresh } from './live.js';
import { step, toggleRow } from './rows.js';

const places = { o: '/', q: '/queues', e: '/errors', m: '/charts', w: '/workers', b: '/backups', t: '/team', a: '/account' };
let leader = 0; // when g was pressed

function typing(el) {
  return el.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(el.tagName) && el.type !== 'checkbox';
}

const keys = {
  '/': () => document.getElementById('search')?.focus(),
  r: () => refresh(),
  t: () => document.querySelector('[data-theme-next]')?.click(),
  j: () => step(1),
  k: () => step(-1),
  x: () => toggleRow(),
  '?': () => document.getElementById('keys')?.showModal(),
};

document.addEventListener('keydown', (e) => {
  if (e.key === 'Escape' && document.activeElement?.id === 'search') document.activeElement.blur();
  if (e.ctrlKey || e.metaKey || e.altKey || typing(e.target) || document.querySelector('dialog[open]')) return;
  if (Date.now() - leader < 1500 && places[e.key]) {
    leader = 0;
    const link = document.querySelector(`.rail a[href="${places[e.key]}"]`) ?? document.querySelector(`a[href="${places[e.key]}"]`);
    if (link) location.assign(link.href); // only where this person may go
    return;
  }
  leader = e.key === 'g' ? Date.now() : 0;
  const act = keys[e.key];
  if (!act || e.key === 'g') return;
  e.preventDefault();
  act();
});

document.addEventListener('click', (e) => {
  if (e.target.closest('[data-keys]')) document.getElementById('keys')?.showModal();
});
