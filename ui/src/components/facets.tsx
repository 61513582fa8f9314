// Facets as their readers want them: errors with their stack trace, SQL, texts, links; any other one as JSON.

import type { JSX } from "preact";
import { CopyButton } from "./basics";
import { Json } from "./json";
import { field } from "./run_row";
import { Sql } from "./sql";

/** Facets that are shown elsewhere on the page of a run. */
const ELSEWHERE = new Set(["parent", "nominalTime", "errorMessage"]);
const INTERNAL = new Set(["_producer", "_schemaURL", "_deleted"]);

function text(value: unknown): string | null {
  return typeof value === "string" && value !== "" ? value : null;
}

/** A link only where it leads to the web: a payload may hold any scheme. */
export function SafeLink({ url }: { url: string }): JSX.Element {
  return /^https?:\/\//i.test(url) ? (
    <a href={url} target="_blank" rel="noopener noreferrer">
      {url}
    </a>
  ) : (
    <code>{url}</code>
  );
}

/** Whether an `errorMessage` facet says more than a message: schedulers report of a group of tasks that one failed. */
export function hasTrace(facet: unknown): boolean {
  return text(field(facet, "stackTrace")) !== null;
}

export function ErrorMessage({ facet }: { facet: unknown }): JSX.Element | null {
  const message = text(field(facet, "message"));
  const trace = text(field(facet, "stackTrace"));
  if (!message && !trace) return null;
  return (
    <section class="panel failure" aria-label="Why it failed">
      <header>
        <h2>Why it failed</h2>
        <span class="faint">{text(field(facet, "programmingLanguage"))}</span>
        <span class="space" />
        <CopyButton text={[message, trace].filter(Boolean).join("\n\n")} what="Error" />
      </header>
      <div class="body stack">
        {message && <p class="message" tabIndex={0}>{message}</p>}
        {trace && <StackTrace text={trace} />}
      </div>
    </section>
  );
}

/** A stack trace, with the lines that name a cause set off. */
function StackTrace({ text: trace }: { text: string }): JSX.Element {
  return (
    <pre class="code trace" tabIndex={0}>
      {trace.split("\n").map((line, index) => (
        <span key={index} class={/^\S/.test(line) && !line.startsWith("Traceback") ? "cause" : "frame"}>
          {line}
          {"\n"}
        </span>
      ))}
    </pre>
  );
}

function links(value: unknown): string[] {
  if (typeof value === "string") return /^https?:\/\/\S+$/i.test(value) ? [value] : [];
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([name, inner]) => (INTERNAL.has(name) ? [] : links(inner)));
}

function content(facet: unknown): unknown {
  if (typeof facet !== "object" || facet === null || Array.isArray(facet)) return facet;
  return Object.fromEntries(Object.entries(facet).filter(([name]) => !INTERNAL.has(name)));
}

function Facet({ name, facet }: { name: string; facet: unknown }): JSX.Element {
  const query = text(field(facet, "query"));
  if (name === "sql" && query) return <Sql text={query} />;
  const description = text(field(facet, "description"));
  if (name === "documentation" && description) return <p class="prose" tabIndex={0}>{description}</p>;
  const code = text(field(facet, "sourceCode"));
  if (name === "sourceCode" && code) return <pre class="code">{code}</pre>;
  const found = [...new Set(links(facet))].slice(0, 8);
  return (
    <div class="stack tight">
      {found.map((url) => (
        <SafeLink key={url} url={url} />
      ))}
      <Json value={content(facet)} depth={1} />
    </div>
  );
}

const FIRST = ["sql", "documentation", "sourceCode", "sourceCodeLocation"];

function rank(name: string): number {
  const place = FIRST.indexOf(name);
  return place < 0 ? FIRST.length : place;
}

export function Facets({ title, facets }: { title: string; facets: Record<string, unknown> }): JSX.Element | null {
  const names = Object.keys(facets).filter((name) => !ELSEWHERE.has(name));
  if (names.length === 0) return null;
  names.sort((one, other) => rank(one) - rank(other) || one.localeCompare(other));
  return (
    <section class="panel" aria-label={title}>
      <header>
        <h2>{title}</h2>
        <span class="faint">{names.length}</span>
      </header>
      <div class="body">
        {names.map((name) => (
          <details key={name} class="facet" open={rank(name) < FIRST.length || names.length <= 2}>
            <summary>
              <h3>{name}</h3>
            </summary>
            <Facet name={name} facet={facets[name]} />
          </details>
        ))}
      </div>
    </section>
  );
}
