// SQL with its keywords, texts, numbers and comments told apart.

import type { JSX } from "preact";

const TOKENS =
  /(--[^\n]*|\/\*[\s\S]*?(?:\*\/|$))|('(?:[^']|'')*'?|"(?:[^"]|"")*"?)|(\{\{[\s\S]*?\}\}|\{%[\s\S]*?%\})|\b(\d+(?:\.\d+)?)\b|\b(select|from|where|with|as|left|right|full|inner|outer|cross|join|lateral|on|using|group|order|by|having|limit|offset|union|all|distinct|case|when|then|else|end|and|or|not|in|is|null|like|ilike|between|exists|over|partition|insert|into|values|update|set|delete|create|replace|table|view|merge|cast|coalesce|count|sum|min|max|avg|date|timestamp|interval|asc|desc|overwrite|temporary|if)\b/gi;
const KINDS = ["comment", "text", "template", "number", "keyword"] as const;
const MOST = 100_000;

export function Sql({ text }: { text: string }): JSX.Element {
  const parts: (string | JSX.Element)[] = [];
  const coloured = text.slice(0, MOST);
  let end = 0;
  for (const match of coloured.matchAll(TOKENS)) {
    if (match.index > end) parts.push(coloured.slice(end, match.index));
    const kind = KINDS.find((_, index) => match[index + 1] !== undefined);
    parts.push(<span class={`sql-${kind ?? "text"}`}>{match[0]}</span>);
    end = match.index + match[0].length;
  }
  parts.push(text.slice(end));
  return <pre class="code">{parts}</pre>;
}
