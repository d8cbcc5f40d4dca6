// Toasts go after a while, but not while somebody reads or could undo.
const lasts = 8000; // ms

for (const toast of document.querySelectorAll('.toast')) {
  let timer = 0;
  const begin = () => (timer = setTimeout(() => toast.remove(), lasts));
  toast.addEventListener('mouseenter', () => clearTimeout(timer));
  toast.addEventListener('mouseleave', begin);
  toast.addEventListener('focusin', () => clearTimeout(timer));
  toast.querySelector('[data-dismiss]')?.addEventListener('click', () => toast.remove());
  begin();
}
