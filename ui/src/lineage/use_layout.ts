// Asks the worker for layouts; only the latest question is answered.

import { useEffect, useState } from "preact/hooks";
import { type Layout, layOut, type LayoutInput } from "./layout";

declare const LAYOUT_WORKER: string; // the path of the script below the base, put in by build.mjs

let worker: Worker | null = null;
let broken = false;
let asked = 0;
const waiting = new Map<number, (layout: Layout) => void>();
const questions = new Map<number, LayoutInput>();

function start(): Worker {
  const started = new Worker(new URL(LAYOUT_WORKER, document.baseURI), { type: "module" });
  started.addEventListener("message", (event: MessageEvent<{ id: number; layout: Layout }>) => answer(event.data.id, event.data.layout));
  started.addEventListener("error", () => {
    broken = true; // a proxy with a policy of its own may forbid workers: then it is slower, and works
    for (const [id, input] of questions) answer(id, layOut(input));
  });
  return started;
}

function answer(id: number, layout: Layout): void {
  waiting.get(id)?.(layout);
  waiting.delete(id);
  questions.delete(id);
}

/** Returns the layout of a graph, and the one before until it is there; null before the first. The time is in ms. */
export function useLayout<T>(subject: T | null, input: (subject: T) => LayoutInput): { subject: T; layout: Layout; time: number } | null {
  const [found, setFound] = useState<{ subject: T; layout: Layout; time: number } | null>(null);
  useEffect(() => {
    if (subject === null) return undefined;
    const id = ++asked;
    const question = input(subject);
    const began = performance.now();
    waiting.set(id, (layout) => setFound({ subject, layout, time: performance.now() - began }));
    questions.set(id, question);
    if (broken) answer(id, layOut(question));
    else (worker ??= start()).postMessage({ id, input: question });
    return () => {
      waiting.delete(id);
      questions.delete(id);
    };
  }, [subject]);
  return found;
}
