// Rows of a table: j and k go through them, x and shift with a click select them, and what is selected shows the bar of
// actions.
let last = null; // the row that was selected last

const rows = () => [...document.querySelectorAll('.page .rows tbody tr')];
const box = (row) => row.querySelector('input[data-row]');

export function step(by) {
  const all = rows();
  if (all.length === 0) return;
  const at = all.findIndex((row) => row.contains(document.activeElement));
  const next = all[Math.min(Math.max(at + by, 0), all.length - 1)];
  const target = next.querySelector('a, button:not(:disabled), input:not(:disabled)') ?? next;
  if (target === next) next.tabIndex = -1; // a row with nothing to press is stepped on all the same
  target.focus();
  next.scrollIntoView({ block: 'nearest' });
}

export function toggleRow() {
  const check = rows().find((row) => row.contains(document.activeElement));
  if (check && box(check)) box(check).click();
}

function count() {
  for (const bar of document.querySelectorAll('[data-selection]')) {
    const checked = [...bar.closest('form').querySelectorAll('input[data-row]:checked')]; // a page may have several lists
    const n = checked.length;
    bar.hidden = n === 0;
    const word = bar.querySelector('[data-count]');
    if (word) word.textContent = `${n} selected`;
    for (const button of bar.querySelectorAll('[data-counts]')) {
      const own = checked.filter((each) => each.dataset.kind === button.dataset.counts).length;
      button.querySelector('[data-n]').textContent = own ? ` (${own})` : '';
      button.disabled = own === 0;
      button.title = own === 0 ? button.dataset.none : '';
    }
  }
}

document.addEventListener('click', (e) => {
  const check = e.target.closest('input[data-row]');
  if (check) {
    const all = rows();
    const here = all.indexOf(check.closest('tr'));
    if (e.shiftKey && last !== null && last < all.length) {
      for (const row of all.slice(Math.min(last, here), Math.max(last, here) + 1)) {
        if (box(row)) box(row).checked = check.checked;
      }
    }
    last = here;
    count();
    return;
  }
  const every = e.target.closest('input[data-rows]');
  if (every) {
    for (const each of every.closest('form').querySelectorAll('input[data-row]')) each.checked = every.checked;
    count();
  }
  if (e.target.closest('[data-unselect]')) {
    for (const each of document.querySelectorAll('#live input[data-row], #live input[data-rows]')) each.checked = false;
    count();
  }
});
document.addEventListener('fetchq:live', count);
count();
