// What pages gain with scripts: keys, a palette, a warning before the session ends. Nothing here
// is needed to read or to approve.

const one = (selector, root = document) => root.querySelector(selector);
const all = (selector, root = document) => [...root.querySelectorAll(selector)];
const isTyping = (event) => event.target.closest("input, textarea, select, [contenteditable]");
const links = () => all(".menu a[href]");

one("#refused")?.focus();

// On a narrow screen the console's menu begins closed.
const folded = one(".staff .menu details");
if (folded && matchMedia("(max-width: 59.99rem)").matches) folded.open = false;

// The customer's menu scrolls sideways on a narrow screen: what is open stands in view.
one(".customer .menu [aria-current]")?.scrollIntoView({ inline: "center", block: "nearest" });

const palette = one("#palette");
if (palette) {
  const input = one("input", palette);
  const list = one("ul", palette);
  let chosen = 0;

  const show = () => {
    const wanted = input.value.trim().toLowerCase();
    const found = links().filter((link) => link.textContent.toLowerCase().includes(wanted));
    chosen = Math.max(0, Math.min(chosen, found.length - 1));
    list.replaceChildren(...found.map((link, number) => {
      const item = document.createElement("li");
      item.setAttribute("role", "presentation");
      const copy = document.createElement("a");
      copy.href = link.href;
      copy.textContent = link.textContent;
      copy.id = `palette-${number}`;
      copy.tabIndex = -1;
      copy.setAttribute("role", "option");
      copy.setAttribute("aria-selected", String(number === chosen));
      item.append(copy);
      return item;
    }));
    input.setAttribute("aria-activedescendant", found.length ? `palette-${chosen}` : "");
  };

  const open = () => { input.value = ""; chosen = 0; show(); palette.showModal(); input.focus(); };
  input.addEventListener("input", () => { chosen = 0; show(); });
  input.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) { event.preventDefault(); chosen += step; show(); }
    if (event.key === "Enter") { event.preventDefault(); one(`#palette-${chosen}`)?.click(); }
  });
  for (const button of all("[data-open=palette]")) { button.hidden = false; button.addEventListener("click", open); }
  document.addEventListener("keydown", (event) => {
    if ((event.metaKey || event.ctrlKey) && event.key.toLowerCase() === "k") { event.preventDefault(); open(); }
  });
}

const keys = one("#keys");
if (keys) {
  const off = one("#keys-off");
  off.checked = localStorage.getItem("keys") === "off";
  off.addEventListener("change", () => localStorage.setItem("keys", off.checked ? "off" : "on"));
  let after = "";
  document.addEventListener("keydown", (event) => {
    if (off.checked || isTyping(event) || event.metaKey || event.ctrlKey || event.altKey) return;
    if (one("dialog[open]")) return;
    if (after === "g") {
      const link = links().find((candidate) => candidate.dataset.key === event.key);
      after = "";
      if (link) link.click();
      return;
    }
    after = event.key;
    if (event.key === "?") keys.showModal();
    if (event.key === "/") { event.preventDefault(); one("main input:not([type=hidden]), main select")?.focus(); }
  });
}

const idle = one("#idle");
if (idle) {
  const WARN_AFTER = 13 * 60 * 1000;
  let timer = setTimeout(() => idle.showModal(), WARN_AFTER);
  one("[data-stay]", idle).addEventListener("click", () => {
    fetch(location.pathname, { method: "GET", credentials: "same-origin" });
    clearTimeout(timer);
    timer = setTimeout(() => idle.showModal(), WARN_AFTER);
  });
}

// A form that was sent cannot be sent again by a second click.
for (const form of all("form[method=post]")) {
  form.addEventListener("submit", () => setTimeout(() => {
    for (const button of all("button", form)) button.disabled = true;
  }));
}
addEventListener("pageshow", () => { for (const button of all("form[method=post] button")) button.disabled = false; });

// Parts of a form that belong to one choice show with it: data-when="name=value".
for (const part of all("[data-when]")) {
  const [name, value] = part.dataset.when.split("=");
  const source = part.closest("form")?.elements[name];
  const fit = () => { part.hidden = (source.type === "checkbox" && !source.checked ? "" : source.value) !== value; };
  if (source) { fit(); source.addEventListener("change", fit); }
}

// What stands in a form is checked and shown while it is filled in; nothing is kept of it.
for (const form of all("form[data-look]")) {
  const place = one("#look"), failed = one("#look-failed");
  let timer, asked = 0;
  const look = async () => {
    const number = ++asked;
    const fields = new URLSearchParams(new FormData(form));
    fields.delete("key");
    const answer = await fetch(form.dataset.look, { method: "POST", body: fields, credentials: "same-origin" }).catch(() => null);
    if (number !== asked) return;
    failed.hidden = Boolean(answer?.ok && !answer.redirected);
    if (!failed.hidden) return;
    const shown = new DOMParser().parseFromString(await answer.text(), "text/html");
    place.replaceChildren(...shown.body.childNodes);
    place.dataset.number = String(number);
  };
  form.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(look, 350); });
  look();
}

// Long work shows how far it is; after a quarter of an hour nobody is watching any more.
const watch = async (left) => {
  const ids = all("[data-refresh]").map((part) => part.id);
  if (!ids.length || !left) return;
  await new Promise((done) => setTimeout(done, 1500));
  if (!document.hidden) {
    const answer = await fetch(location.href, { credentials: "same-origin" }).catch(() => null);
    if (answer?.ok && !answer.redirected) {
      const shown = new DOMParser().parseFromString(await answer.text(), "text/html");
      for (const id of ids) { const now = shown.getElementById(id); if (now && !one(`#${id}`).contains(document.activeElement)) one(`#${id}`).replaceWith(now); }
      if (!all("[data-refresh]").length) { location.reload(); return; }
    }
  }
  watch(left - 1);
};
watch(400);
