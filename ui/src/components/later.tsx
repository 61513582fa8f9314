// A view whose script is read when it is opened.

import type { FunctionComponent, JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { Empty, Skeleton } from "./basics";

/** `read` imports the component; the browser keeps what was imported. */
export function Later({ read }: { read: () => Promise<FunctionComponent> }): JSX.Element {
  const [View, setView] = useState<FunctionComponent | null>(null);
  const [failed, setFailed] = useState(false);
  useEffect(() => {
    read().then((found) => setView(() => found), () => setFailed(true));
  }, []);
  if (failed) {
    return (
      <Empty title="This part of the page cannot be read" page>
        <p>The service is away, or it is of another version than this page.</p>
        <button type="button" class="button" onClick={() => location.reload()}>Reload</button>
      </Empty>
    );
  }
  return View ? <View /> : <Skeleton rows={12} />;
}
