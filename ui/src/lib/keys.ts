// Shortcuts of the keyboard: single keys, and pairs such as "g r". None works while text is typed.

import { useEffect, useRef } from "preact/hooks";

export interface Shortcut {
  keys: string;
  text: string;
  action: () => void;
}

interface Group {
  title: string;
  shortcuts: Shortcut[];
}

const groups = new Set<Group>();
let first = "";
let timer = 0;

export function shortcutGroups(): Group[] {
  return [...groups];
}

function typing(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target) || document.querySelector("dialog[open]")) return;
  if (event.key === "Enter" && event.target instanceof Element && event.target.closest("a, button, summary")) return;
  const all = [...groups].flatMap((group) => group.shortcuts);
  const found = all.findLast((each) => each.keys === (first ? `${first} ${event.key}` : event.key)) ?? all.findLast((each) => each.keys === event.key);
  clearTimeout(timer);
  first = "";
  if (found) {
    event.preventDefault();
    found.action();
  } else if (all.some((each) => each.keys.startsWith(`${event.key} `))) {
    first = event.key;
    timer = window.setTimeout(() => (first = ""), 1_000);
  }
});

/** Makes shortcuts work while the component is there. */
export function useShortcuts(title: string, shortcuts: Shortcut[]): void {
  const group = useRef<Group>({ title, shortcuts });
  group.current.shortcuts = shortcuts;
  useEffect(() => {
    const own = group.current;
    groups.add(own);
    return () => {
      groups.delete(own);
    };
  }, []);
}
