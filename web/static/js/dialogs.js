// Links and forms marked with hx-target="#dialog-body" open in the dialog; without scripts they are pages of their own.
const dialog = document.getElementById('dialog');
const body = document.getElementById('dialog-body');
let opener = null;

document.addEventListener('htmx:beforeRequest', (e) => {
  if (e.detail.target === body && !dialog.open) opener = document.activeElement;
});

document.addEventListener('htmx:afterSwap', (e) => {
  if (e.detail.target !== body || dialog.open) return;
  const title = body.querySelector('h1, h2');
  if (title) {
    title.id ||= 'dialog-title';
    dialog.setAttribute('aria-labelledby', title.id);
  }
  dialog.showModal();
  (body.querySelector('[autofocus]') ?? body.querySelector('input:not([type=hidden]), select, textarea, button'))?.focus();
});

// A form whose answer says what is wrong is shown again, with the first wrong field in focus.
document.addEventListener('htmx:afterSettle', (e) => {
  if (e.detail.target === body) body.querySelector('[aria-invalid="true"]')?.focus();
});

// The server may be away: the dialog says so, and the form keeps what was typed.
document.addEventListener('htmx:sendError', (e) => {
  const form = e.detail.elt.closest('form');
  if (!form) {
    location.assign(e.detail.elt.href);
    return;
  }
  let notice = form.querySelector('[data-away]');
  if (!notice) {
    notice = document.createElement('p');
    notice.dataset.away = '';
    notice.className = 'notice';
    notice.dataset.kind = 'error';
    notice.setAttribute('role', 'alert');
    form.prepend(notice);
  }
  notice.textContent = 'The server does not answer. Nothing was changed; try again.';
});

// What is shown once is not lost by a click beside it.
const secret = () => body.querySelector('[data-secret]');

dialog?.addEventListener('click', (e) => {
  if ((e.target === dialog && !secret()) || e.target.closest('[data-close]')) {
    e.preventDefault();
    dialog.close();
  }
});
dialog?.addEventListener('close', () => {
  if (secret()) location.reload(); // the page behind it does not show yet what was made
  body.replaceChildren();
  opener?.focus();
});
document.getElementById('keys')?.addEventListener('click', (e) => {
  if (e.target.id === 'keys') e.target.close();
});

// A name must be typed before the button that cannot be undone works. The server asks for it too.
document.addEventListener('input', (e) => {
  const wanted = e.target.dataset.confirm;
  if (wanted === undefined) return;
  const button = e.target.form.querySelector('[data-confirmed]');
  button.disabled = e.target.value !== wanted;
});
document.addEventListener('htmx:load', (e) => {
  for (const input of e.target.querySelectorAll('input[data-confirm]')) {
    input.form.querySelector('[data-confirmed]').disabled = input.value !== input.dataset.confirm;
  }
});
