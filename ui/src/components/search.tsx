// Ctrl-K: jobs by any part of their names, runs by their ids, and the views.

import { signal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { api } from "../lib/api";
import { useAnswer } from "../lib/query";
import { go, href, paths } from "../lib/router";
import { VIEWS } from "../lib/views";
import { Shape, type RunState } from "./basics";

export const searching = signal(false);

const MOST_JOBS = 5_000;
const PAGE = 1_000;
const SHOWN = 12;

interface Found {
  path: string;
  text: string;
  kind: string;
  state?: RunState | undefined;
}

interface KnownJob {
  namespace: string;
  name: string;
  state: RunState | undefined;
}

async function knownJobs(signal: AbortSignal): Promise<KnownJob[]> {
  const found: KnownJob[] = [];
  for (let offset = 0; offset < MOST_JOBS; offset += PAGE) {
    const page = await api.jobs({ limit: PAGE, offset, stale: true }, signal);
    found.push(...page.jobs.map((job) => ({ namespace: job.namespace, name: job.name, state: job.latestRun?.state })));
    if (offset + PAGE >= page.totalCount) break;
  }
  return found;
}

function matches(text: string, jobs: readonly KnownJob[]): Found[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  const views: Found[] = VIEWS.map((view) => ({ path: view.path, text: view.name, kind: "view" }));
  const all = [
    ...views,
    ...jobs.map((job) => ({ path: paths.job(job.namespace, job.name), text: `${job.namespace} / ${job.name}`, kind: "job", state: job.state })),
  ];
  const found = all.filter((each) => words.every((word) => each.text.toLowerCase().includes(word)));
  const id = text.trim();
  if (/^[0-9a-f-]{8,}$/i.test(id) || id.includes(":")) found.unshift({ path: paths.run(id), text: id, kind: "run" });
  return found.slice(0, SHOWN);
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
  const jobs = useAnswer("search/jobs", knownJobs);
  const found = matches(text, jobs.data ?? []);
  useEffect(() => dialog.current?.showModal(), []);

  function open(entry: Found | undefined): void {
    if (!entry) return;
    searching.value = false;
    go(entry.path);
  }

  function pressed(event: KeyboardEvent): void {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step !== undefined) {
      event.preventDefault();
      setChosen((chosen + step + found.length) % Math.max(1, found.length));
    } else if (event.key === "Enter") {
      event.preventDefault();
      open(found[chosen]);
    }
  }

  return (
    <dialog class="search" ref={dialog} aria-label="Search" onClose={() => (searching.value = false)} onKeyDown={pressed}
      onClick={(event) => event.target === event.currentTarget && event.currentTarget.close()}>
      <input type="search" placeholder="Jobs by name, runs by id" aria-label="Search"
        aria-controls="found" aria-activedescendant={found.length ? `found-${chosen}` : undefined} value={text} autoFocus
        onInput={(event) => {
          setText(event.currentTarget.value);
          setChosen(0);
        }} />
      <ul id="found" role="listbox" aria-label="Found">
        {found.map((entry, index) => (
          <li key={entry.path} id={`found-${index}`} role="option" aria-selected={index === chosen}>
            <a href={href(entry.path)} tabIndex={-1} onClick={() => (searching.value = false)}>
              <span class="cut">{entry.text}</span>
              <span class="faint small">{entry.kind}</span>
              {entry.state && <Shape state={entry.state} />}
            </a>
          </li>
        ))}
      </ul>
      <p class="hint faint small">
        {jobs.error ? jobs.error.message : found.length === 0 ? (jobs.loading ? "Reading the jobs…" : "Nothing has this name.") : (
          <>
            <kbd>↑</kbd> <kbd>↓</kbd> choose · <kbd>Enter</kbd> opens · <kbd>Esc</kbd> closes
          </>
        )}
      </p>
    </dialog>
  );
}
