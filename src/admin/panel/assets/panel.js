// What is a little nicer with a script. Every page does all it does without one.
'use strict';

// Files can be dropped onto the field that takes them.
for (const zone of document.querySelectorAll('[data-drop]')) {
  const field = zone.querySelector('input[type=file]');
  if (!field) continue;
  for (const kind of ['dragenter', 'dragover']) {
    zone.addEventListener(kind, (event) => { event.preventDefault(); zone.classList.add('over'); });
  }
  for (const kind of ['dragleave', 'drop']) {
    zone.addEventListener(kind, () => zone.classList.remove('over'));
  }
  zone.addEventListener('drop', (event) => {
    event.preventDefault();
    if (event.dataTransfer && event.dataTransfer.files.length > 0) {
      field.files = event.dataTransfer.files;
      field.dispatchEvent(new Event('change', { bubbles: true }));
    }
  });
}

// What is shown to be copied is selected whole.
for (const text of document.querySelectorAll('textarea[readonly]')) {
  text.addEventListener('focus', () => text.select());
}

// Charts that go on are fetched anew while somebody looks at them.
const live = document.querySelector('[data-live]');
if (live) {
  const again = async () => {
    if (!document.hidden) {
      try {
        const answer = await fetch(location.href, { credentials: 'same-origin' });
        if (answer.ok) {
          const page = new DOMParser().parseFromString(await answer.text(), 'text/html');
          const next = page.querySelector('[data-live]');
          if (next) live.replaceChildren(...next.childNodes);
        }
      } catch { /* the edge restarts; the next try will tell */ }
    }
    setTimeout(again, Number(live.dataset.live) * 1000);
  };
  setTimeout(again, Number(live.dataset.live) * 1000);
}
