// The address of the page as a signal. Links are ordinary links; a click on one that stays inside changes the signal.

import { computed, signal } from "@preact/signals";

const base = new URL(document.baseURI);

export interface Place {
  path: string; // below the base, with a slash at its beginning
  query: URLSearchParams;
}

function read(): Place {
  const path = location.pathname.startsWith(base.pathname) ? location.pathname.slice(base.pathname.length) : "";
  return { path: `/${path}`, query: new URLSearchParams(location.search) };
}

export const place = signal<Place>(read());
export const query = computed(() => place.value.query);

/** Returns the URL of a path below the base, such as "/runs?state=FAILED". */
export function href(path: string): string {
  return base.pathname + path.replace(/^\//, "");
}

/** Returns the address of the service as others reach it, without a slash at its end. */
export function origin(): string {
  return (base.origin + base.pathname).replace(/\/$/, "");
}

/** What tells an entry of the history from all others; lists keep how far they were scrolled by it. */
function newEntry(): { entry: string } {
  return { entry: String(performance.timeOrigin + performance.now()) };
}

if (history.state === null) history.replaceState(newEntry(), "");

export function go(path: string): void {
  history.pushState(newEntry(), "", href(path));
  place.value = read();
  scrollTo(0, 0);
  document.getElementById("main")?.focus({ preventScroll: true });
}

/** Changes parameters of the query; null removes one. A change while typing or dragging replaces the entry in the history. */
export function setQuery(changes: Record<string, string | null>, replace = false): void {
  const next = new URLSearchParams(location.search);
  for (const [name, value] of Object.entries(changes)) {
    if (value === null || value === "") next.delete(name);
    else next.set(name, value);
  }
  const text = next.toString();
  const url = location.pathname + (text ? `?${text}` : "");
  if (replace) history.replaceState(history.state, "", url);
  else history.pushState(newEntry(), "", url);
  place.value = read();
}

addEventListener("popstate", () => {
  place.value = read();
});

document.addEventListener("click", (event) => {
  if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  const link = event.target instanceof Element ? event.target.closest("a") : null;
  if (!link || link.target || link.hasAttribute("download") || link.dataset["plain"] !== undefined) return;
  const to = new URL(link.href);
  if (to.origin !== base.origin || !to.pathname.startsWith(base.pathname)) return;
  event.preventDefault();
  go(to.pathname.slice(base.pathname.length) + to.search);
});

/** Returns the parts of the path, decoded. */
export const parts = computed(() => place.value.path.split("/").filter(Boolean).map(decode));

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

export const paths = {
  run: (id: string): string => `/runs/${encodeURIComponent(id)}`,
  job: (namespace: string, name: string): string => `/jobs/${encodeURIComponent(namespace)}/${encodeURIComponent(name)}`,
  dataset: (namespace: string, name: string): string =>
    `/datasets/${encodeURIComponent(namespace)}/${encodeURIComponent(name)}`,
  lineage: (node: string, more: Record<string, string> = {}): string => `/lineage?${new URLSearchParams({ node, ...more })}`,
  runs: (filters: Record<string, string>): string => `/runs?${new URLSearchParams(filters)}`,
  events: (filters: Record<string, string>): string => `/ledger?${new URLSearchParams(filters)}`,
};
