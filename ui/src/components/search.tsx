// Ctrl-K: jobs and datasets by any words of theirs, runs by their ids, and the views.

import { signal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import type { SearchResult, SearchResults } from "../lib/api_types";
import type { Behind } from "../lib/api";
import { lineage } from "../lib/lineage_api";
import { type Answer, useAnswer } from "../lib/query";
import { go, href, paths } from "../lib/router";
import { VIEWS } from "../lib/views";
import { BehindTag } from "./behind";

export const searching = signal(false);

const SHOWN = 20;
const TYPED_MS = 100;
const MOST_WORDS = 16;
const PATIENCE_MS = 300;

interface Found {
  path: string;
  namespace?: string;
  text: string;
  kind: string;
}

/** Reads what is found. Where that waits for what was recorded last, what is there already is shown meanwhile. */
async function find(q: string, filter: string | null, signal: AbortSignal, show: (part: Behind<SearchResults>) => void): Promise<Behind<SearchResults>> {
  const query = { q, filter, limit: SHOWN };
  const whole = lineage.search(query, signal);
  const patience = new Promise<null>((resolve) => setTimeout(() => resolve(null), PATIENCE_MS));
  if ((await Promise.race([whole, patience])) === null) {
    lineage.search({ ...query, stale: true }, signal).then(show, () => undefined); // the other one may succeed
  }
  return whole;
}

export interface Searched {
  results: SearchResult[];
  total: number;
  loading: boolean;
  error: string | null;
  answer: Answer<Behind<SearchResults>>;
}

/** Returns what jobs and datasets are found by the words of a text, read anew when the reader stops typing. */
export function useSearch(text: string, filter: string | null = null): Searched {
  const wanted = text.split(/\s+/).filter(Boolean).slice(0, MOST_WORDS).join(" ").slice(0, 1_000);
  const [asked, setAsked] = useState(wanted);
  useEffect(() => {
    const timer = setTimeout(() => setAsked(wanted), TYPED_MS);
    return () => clearTimeout(timer);
  }, [wanted]);
  const answer = useAnswer<Behind<SearchResults>>(asked === "" ? null : `search/${filter}/${asked}`, (signal, show) => find(asked, filter, signal, show));
  const [last, setLast] = useState<{ results: SearchResult[]; total: number }>({ results: [], total: 0 });
  useEffect(() => {
    if (answer.data) setLast({ results: answer.data.results, total: answer.data.totalCount });
  }, [answer.data]);
  const shown = wanted === "" ? { results: [], total: 0 } : last;
  return { ...shown, loading: wanted !== asked || answer.loading, error: answer.error?.message ?? null, answer };
}

function entries(text: string, results: readonly SearchResult[]): Found[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  const views = VIEWS.filter((view) => words.every((word) => view.name.toLowerCase().includes(word)));
  const found: Found[] = [
    ...views.map((view) => ({ path: view.path, text: view.name, kind: "view" })),
    ...results.map(({ type, namespace, name }) => ({
      path: type === "JOB" ? paths.job(namespace, name) : paths.dataset(namespace, name),
      namespace,
      text: name,
      kind: type.toLowerCase(),
    })),
  ];
  const id = text.trim();
  if (/^[0-9a-f-]{32,36}$/i.test(id)) found.unshift({ path: paths.run(id), text: id, kind: "run" });
  else if (id.includes(":")) found.push({ path: paths.run(id), text: id, kind: "run" }); // OpenLineage lets producers name runs otherwise
  return found;
}

export function Search(): JSX.Element | null {
  useEffect(() => {
    function pressed(event: KeyboardEvent): void {
      if (event.key.toLowerCase() === "k" && (event.ctrlKey || event.metaKey)) {
        event.preventDefault();
        searching.value = !searching.value;
      }
    }
    document.addEventListener("keydown", pressed);
    return () => document.removeEventListener("keydown", pressed);
  }, []);
  return searching.value ? <SearchDialog /> : null;
}

function SearchDialog(): JSX.Element {
  const dialog = useRef<HTMLDialogElement>(null);
  const [text, setText] = useState("");
  const [chosen, setChosen] = useState(0);
  const answer = useSearch(text);
  const found = entries(text, answer.results);
  useLayoutEffect(() => dialog.current?.showModal(), []); // before the next key is typed

  function open(entry: Found | undefined): void {
    if (!entry) return;
    searching.value = false;
    go(entry.path);
  }

  /** What is typed and not yet answered is awaited: Enter must not open what an earlier text has found. */
  const awaited = useRef(false);
  useEffect(() => {
    if (!awaited.current || answer.loading) return;
    awaited.current = false;
    open(found[chosen]);
  }, [answer.loading]);

  function pressed(event: KeyboardEvent): void {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step !== undefined) {
      event.preventDefault();
      setChosen((chosen + step + found.length) % Math.max(1, found.length));
    } else if (event.key === "Escape") {
      event.preventDefault(); // a field for searches would be emptied, and the dialog stay
      dialog.current?.close();
    } else if (event.key === "Enter") {
      event.preventDefault();
      if (answer.loading && found[0]?.kind !== "run") awaited.current = true;
      else open(found[chosen]);
    }
  }

  return (
    <dialog class="search" ref={dialog} aria-label="Search" onClose={() => (searching.value = false)} onKeyDown={pressed}
      onClick={(event) => event.target === event.currentTarget && event.currentTarget.close()}>
      <input type="search" placeholder="Jobs and datasets by words, runs by id" aria-label="Search"
        aria-controls="found" aria-activedescendant={found.length ? `found-${chosen}` : undefined} value={text} autoFocus
        onInput={(event) => {
          setText(event.currentTarget.value);
          setChosen(0);
        }} />
      <ul id="found" role="listbox" aria-label="Found">
        {found.map((entry, index) => (
          <li key={`${entry.kind} ${entry.path}`} id={`found-${index}`} role="option" aria-selected={index === chosen}>
            <a href={href(entry.path)} tabIndex={-1} onClick={() => (searching.value = false)} title={entry.namespace && `${entry.namespace} / ${entry.text}`}>
              {entry.namespace !== undefined && <><span class="faint cut in-namespace">{entry.namespace}</span><span class="faint slash"> / </span></>}
              <span class="cut own-name">{entry.text}</span>
              <span class="faint small nowrap">{entry.kind}</span>
            </a>
          </li>
        ))}
      </ul>
      <p class="hint faint small">
        {answer.error ?? (found.length === 0 ? (answer.loading ? "Searching…" : "Nothing has these words in its name, namespace, tags, columns or description.") : (
          <>
            <BehindTag answer={answer.answer} /> {answer.total > SHOWN && <>the first {SHOWN} of {answer.total.toLocaleString()} · </>}
            <kbd>↑</kbd> <kbd>↓</kbd> choose · <kbd>Enter</kbd> opens · <kbd>Esc</kbd> closes
          </>
        ))}
      </p>
    </dialog>
  );
}
