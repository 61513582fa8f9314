// What surrounds every view: navigation, search, theme, the key, what is wrong with the connection, shortcuts.

import { signal } from "@preact/signals";
import type { ComponentChildren, JSX } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { api, hasKey, keyQuestion, outage, setKey } from "../lib/api";
import { shortcutGroups, useShortcuts } from "../lib/keys";
import { useAnswer } from "../lib/query";
import { go, href, parts, query } from "../lib/router";
import { streamState, useHeard } from "../lib/stream";
import { VIEWS } from "../lib/views";
import { toast } from "./basics";
import { Search, searching } from "./search";

const helping = signal(false);

export function Shell({ children }: { children: ComponentChildren }): JSX.Element {
  useShortcuts("Everywhere", [
    ...VIEWS.map((view) => ({ keys: `g ${view.key}`, text: view.name, action: () => go(view.path) })),
    { keys: "/", text: "Search or filter", action: focusFilter },
    { keys: "?", text: "These shortcuts", action: () => (helping.value = true) },
  ]);
  return (
    <>
      <a class="skip" href="#main" data-plain onClick={skip}>
        Skip to the content
      </a>
      <Top />
      <Banner />
      <main id="main" tabIndex={-1} class={isGraph() ? "whole" : undefined}>
        {children}
      </main>
      <Search />
      {keyQuestion.value && <KeyDialog reason={keyQuestion.value.reason} />}
      {helping.value && <Help />}
      <div role="status" aria-live="polite">{toast.value && <div class="toast">{toast.value}</div>}</div>
    </>
  );
}

/** Whether the page is a graph, which uses all of the window. */
function isGraph(): boolean {
  return parts.value[0] === "lineage" && (parts.value.length > 1 || query.value.has("node"));
}

function skip(event: MouseEvent): void {
  event.preventDefault();
  document.getElementById("main")?.focus();
}

function focusFilter(): void {
  const field = document.querySelector<HTMLInputElement>("[data-filter]");
  if (field) field.focus();
  else searching.value = true;
}

function Top(): JSX.Element {
  const section = `/${parts.value[0] ?? ""}`;
  return (
    <header class="top">
      <a class="brand" href={href("/")} aria-label="Runfold, overview">
        <svg viewBox="0 0 16 16" width="16" height="16" aria-hidden="true">
          <path fill="currentColor" d="M2 2h12v3H2zM2 6.5h9v3H2zM2 11h6v3H2z" />
        </svg>
        Runfold
      </a>
      <nav aria-label="Views">
        {VIEWS.map((view) => (
          <a key={view.path} href={href(view.path)} aria-current={view.path === section ? "page" : undefined}>
            {view.name}
          </a>
        ))}
        <a href={href("/docs")} data-plain>
          API
        </a>
      </nav>
      <span class="space" />
      <button type="button" class="button find" onClick={() => (searching.value = true)}>
        Search <kbd>Ctrl K</kbd>
      </button>
      <Live />
      {hasKey.value && (
        <button type="button" class="button quiet" onClick={() => setKey(null)} title="Forget the API key of this tab">
          Forget key
        </button>
      )}
      <ThemeButton />
    </header>
  );
}

const LIVE_TEXTS = {
  connecting: ["Connecting", "The stream of events is being opened"],
  live: ["Live", "What is shown follows the ledger"],
  paused: ["Paused", "The page is not looked at"],
  lost: ["Not live", "The stream of events is lost; it is opened again by itself"],
} as const;

function Live(): JSX.Element {
  const [text, title] = LIVE_TEXTS[streamState.value];
  useHeard(() => undefined); // on pages that follow nothing, too, it is told whether the service is there
  return (
    <span class="live" data-state={streamState.value} title={title} role="status">
      <i />
      <span class="word">{text}</span>
    </span>
  );
}

type Theme = "system" | "light" | "dark";
const THEMES: readonly Theme[] = ["system", "light", "dark"];
const THEME_SIGNS: Record<Theme, string> = { system: "◐", light: "○", dark: "●" };

function storedTheme(): Theme {
  const theme = document.documentElement.dataset["theme"];
  return theme === "light" || theme === "dark" ? theme : "system";
}

function ThemeButton(): JSX.Element {
  const [theme, setTheme] = useState(storedTheme());
  function next(): void {
    const chosen = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length] ?? "system";
    if (chosen === "system") delete document.documentElement.dataset["theme"];
    else document.documentElement.dataset["theme"] = chosen;
    try {
      if (chosen === "system") localStorage.removeItem("runfold.theme");
      else localStorage.setItem("runfold.theme", chosen);
    } catch {
      // It lasts as long as the page.
    }
    setTheme(chosen);
  }
  return (
    <button type="button" class="button quiet" onClick={next} aria-label={`Theme: ${theme}`} title={`Theme: ${theme}`}>
      {THEME_SIGNS[theme]}
    </button>
  );
}

const READY_INTERVAL_MS = 15_000;

function Banner(): JSX.Element | null {
  const ready = useAnswer("ready", (signal) => api.ready(signal));
  useEffect(() => {
    const timer = setInterval(() => !document.hidden && ready.reload(), READY_INTERVAL_MS);
    return () => clearInterval(timer);
  }, []);
  const lost = streamState.value === "lost";
  useEffect(() => {
    if (lost) ready.reload(); // it tells whether the service is away
  }, [lost]);
  const failing = Object.entries(ready.data?.checks ?? {}).filter(([, state]) => state !== "ok");
  const text = outage.value
    ? `${sentence(outage.value)} What is shown may be old; it is tried again by itself.`
    : failing.length > 0
      ? `The service is not ready: ${failing.map(([name, state]) => `${name}: ${state}`).join("; ")}`
      : (ready.data?.warnings ?? []).join("; ");
  return text ? (
    <div class="banner" role="alert">
      {text}
    </div>
  ) : null;
}

/** Returns the text of an error as a sentence, without what a program is told to do. */
function sentence(text: string): string {
  const said = text.replace(/; (repeat the request|ask again)\.?$/, "");
  return `${said.charAt(0).toUpperCase()}${said.slice(1)}${/[.!?]$/.test(said) ? "" : "."}`;
}

function KeyDialog({ reason }: { reason: string }): JSX.Element {
  const dialog = useRef<HTMLDialogElement>(null);
  const [secret, setSecret] = useState("");
  useLayoutEffect(() => dialog.current?.showModal(), []); // before the next key is typed
  function give(event: Event): void {
    event.preventDefault();
    if (secret.trim()) setKey(secret.trim());
  }
  return (
    <dialog ref={dialog} aria-labelledby="key-title" onCancel={(event) => event.preventDefault()}>
      <form class="body" onSubmit={give}>
        <h1 id="key-title">This service needs an API key</h1>
        <p class="faint">{reason}</p>
        <input type="password" aria-label="API key" placeholder="rf_…" autoComplete="off" spellcheck={false} value={secret} autoFocus
          onInput={(event) => setSecret(event.currentTarget.value)} />
        <p class="faint small">
          It is kept until this tab is closed, and sent to this service only. <code>runfold keys create NAME --scope read</code> makes one.
        </p>
        <div class="buttons">
          <button class="button primary" type="submit" disabled={!secret.trim()}>
            Use this key
          </button>
        </div>
      </form>
    </dialog>
  );
}

function Help(): JSX.Element {
  const dialog = useRef<HTMLDialogElement>(null);
  useLayoutEffect(() => dialog.current?.showModal(), []); // before the next key is typed
  return (
    <dialog ref={dialog} aria-labelledby="help-title" onClose={() => (helping.value = false)}>
      <div class="body">
        <h1 id="help-title">Keyboard</h1>
        <div class="shortcuts">
          {shortcutGroups().map((group) => (
            <section key={group.title}>
              <h2>{group.title}</h2>
              <dl>
                {group.shortcuts.map((each) => (
                  <>
                    <dt>{each.keys.split(" ").map((key) => <><kbd>{key}</kbd> </>)}</dt>
                    <dd>{each.text}</dd>
                  </>
                ))}
              </dl>
            </section>
          ))}
        </div>
        <p class="faint small"><kbd>Ctrl</kbd> <kbd>K</kbd> searches everywhere.</p>
        <div class="buttons">
          <button type="button" class="button" onClick={() => dialog.current?.close()}>
            Close
          </button>
        </div>
      </div>
    </dialog>
  );
}
