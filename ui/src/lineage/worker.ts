// The worker: lays out one graph after another.

import { layOut, type LayoutInput } from "./layout";

addEventListener("message", (event: MessageEvent<{ id: number; input: LayoutInput }>) => {
  postMessage({ id: event.data.id, layout: layOut(event.data.input) });
});
