// Tags: shown, and added and removed where the key may do so.

import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { ApiError } from "../lib/api";
import { lineage, mayWrite } from "../lib/lineage_api";
import { useAnswer } from "../lib/query";
import { say } from "./basics";

const MOST_OFFERED = 200;

interface Props {
  tags: readonly string[];
  of: string; // what has them, for screen readers
  change?: ((tag: string, present: boolean) => Promise<unknown>) | undefined; // none: they are only shown
  changed?: () => void;
}

export function Tags({ tags, of, change, changed }: Props): JSX.Element {
  const [adding, setAdding] = useState(false);
  const editable = change !== undefined && mayWrite.value;

  async function apply(tag: string, present: boolean): Promise<void> {
    if (!change || tag === "") return;
    try {
      await change(tag, present);
      changed?.();
    } catch (error) {
      say(error instanceof ApiError ? error.message : "The tag is not changed");
    }
  }
  return (
    <span class="tag-list">
      {tags.map((tag) => (
        <span key={tag} class="tag label">
          <span class="cut">{tag}</span>
          {editable && (
            <button type="button" aria-label={`Remove tag ${tag} of ${of}`} title="Remove" onClick={() => void apply(tag, false)}>
              ×
            </button>
          )}
        </span>
      ))}
      {editable &&
        (adding ? (
          <TagInput of={of} done={(tag) => {
            setAdding(false);
            void apply(tag, true);
          }} />
        ) : (
          <button type="button" class="button quiet add-tag" aria-label={`Add a tag to ${of}`} title="Add a tag" onClick={() => setAdding(true)}>
            + tag
          </button>
        ))}
    </span>
  );
}

function TagInput({ of, done }: { of: string; done: (tag: string) => void }): JSX.Element {
  const known = useAnswer("tags", (signal) => lineage.tags({ limit: MOST_OFFERED }, signal));
  const [text, setText] = useState("");
  return (
    <form class="tag-form" onSubmit={(event) => {
      event.preventDefault();
      done(text.trim());
    }}>
      <input aria-label={`Tag of ${of}`} list="known-tags" value={text} autoFocus spellcheck={false} size={12} placeholder="Enter adds it"
        onInput={(event) => setText(event.currentTarget.value)} onBlur={() => text === "" && done("")}
        onKeyDown={(event) => event.key === "Escape" && done("")} />
      <datalist id="known-tags">{known.data?.tags.map((tag) => <option key={tag.name} value={tag.name} />)}</datalist>
    </form>
  );
}
