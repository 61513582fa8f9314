// The versions of a dataset: what each changed, and two of them side by side.

import type { JSX } from "preact";
import type { DatasetId, DatasetVersion, Field } from "../lib/api_types";
import { compareFields, countChanges, type FieldChange } from "../lib/fields_diff";
import { lineage } from "../lib/lineage_api";
import type { Moment } from "../lib/moment";
import { type Answer, useAnswer } from "../lib/query";
import { href, paths, query, setQuery } from "../lib/router";
import { local, ms } from "../lib/time";
import { Problem, Skeleton, State, Time } from "./basics";

const PAGE = 100;

export interface Versions {
  versions: DatasetVersion[];
  total: number;
}

export async function readVersions(id: DatasetId, moment: Moment, most: number, signal: AbortSignal): Promise<Versions> {
  const versions: DatasetVersion[] = [];
  let total = 0;
  do {
    const page = await lineage.versions(id, { ...moment, limit: PAGE, offset: versions.length }, signal);
    total = page.totalCount;
    versions.push(...page.versions);
    if (page.versions.length === 0) break;
  } while (versions.length < Math.min(total, most));
  return { versions, total };
}

const MARKS = { added: "+", removed: "−", changed: "~", same: "" } as const;
const WORDS = { added: "added", removed: "removed", changed: "changed", same: "the same" } as const;

function Summary({ changes }: { changes: readonly FieldChange[] }): JSX.Element {
  const counts = countChanges(changes);
  const shown = (["added", "removed", "changed"] as const).filter((each) => counts[each] > 0);
  if (shown.length === 0) return <span class="faint">no column changed</span>;
  return (
    <span class="tags">
      {shown.map((each) => (
        <span key={each} class={`tag diff-${each}`} title={changes.filter((change) => change.change === each).map((change) => change.name).join(", ")}>
          {MARKS[each]}{counts[each]} <span class="visually-hidden">columns {WORDS[each]}</span>
        </span>
      ))}
    </span>
  );
}

const LISTED = 200;

export function useVersions(id: DatasetId, moment: Moment, current: string): Answer<Versions> {
  const key = `versions/${id.namespace}\n${id.name}\n${moment.knownAt}\n${moment.validAt}\n${current}`;
  return useAnswer(key, (signal) => readVersions(id, moment, LISTED, signal));
}

export function VersionsPanel({ answer, current }: { answer: Answer<Versions>; current: string }): JSX.Element {
  const versions = answer.data?.versions ?? [];
  const find = (version: string | null): number => versions.findIndex((each) => each.version === version);
  const chosen = find(query.value.get("after"));
  const later = Math.max(0, chosen);
  const base = find(query.value.get("before"));
  const earlier = base >= 0 ? base : Math.min(later + 1, versions.length - 1);
  const after = versions[later];
  const before = versions[earlier];
  return (
    <section class="panel" aria-label="Versions" id="versions">
      <header>
        <h2>Versions</h2>
        {answer.data && <span class="faint">{answer.data.total.toLocaleString()}{answer.data.total > versions.length ? `, the newest ${versions.length} are shown` : ""}</span>}
      </header>
      {answer.error && <Problem error={answer.error} retry={answer.reload} />}
      {!answer.data && !answer.error && <Skeleton rows={3} />}
      {versions.length > 0 && (
        <div class="versions">
          <ol class="version-list" aria-label="Versions, newest first">
            {versions.map((version, index) => (
              <VersionRow key={version.version} version={version} previous={versions[index + 1]} current={version.version === current}
                shown={index === later} last={answer.data?.total === index + 1} />
            ))}
          </ol>
          {after && before && after !== before && <Comparison before={before} after={after} versions={versions} />}
        </div>
      )}
    </section>
  );
}

function VersionRow({ version, previous, current, shown, last }: { version: DatasetVersion; previous: DatasetVersion | undefined; current: boolean; shown: boolean; last: boolean }): JSX.Element {
  const run = version.createdByRun;
  return (
    <li aria-current={shown ? "true" : undefined}>
      <button type="button" class="link" disabled={!previous} title="Compare with the version before"
        onClick={() => previous && setQuery({ after: version.version, before: previous.version })}>
        <Time at={version.createdAt} />
      </button>
      <code class="faint">{version.version.slice(0, 8)}</code>
      {current && <span class="tag ok">current</span>}
      {version.lifecycleState && <span class="tag warn">{version.lifecycleState.toLowerCase()}</span>}
      <span class="nowrap">
        {previous ? <Summary changes={compareFields(previous.fields, version.fields)} /> : <span class="faint">{last ? "first, " : ""}{version.fields.length} columns</span>}
      </span>
      {run && (
        <span class="by cut">
          by <a href={href(paths.run(run.id))}><State state={run.state} short /> {run.job?.name ?? run.id.slice(0, 8)}</a>
        </span>
      )}
    </li>
  );
}

function choice(version: DatasetVersion): string {
  return `${local(ms(version.createdAt))} · ${version.fields.length} columns · ${version.version.slice(0, 8)}`;
}

function Choice({ name, label, versions, chosen }: { name: "before" | "after"; label: string; versions: readonly DatasetVersion[]; chosen: DatasetVersion }): JSX.Element {
  return (
    <select aria-label={label} value={chosen.version} onChange={(event) => setQuery({ [name]: event.currentTarget.value })}>
      {versions.map((each) => <option key={each.version} value={each.version}>{choice(each)}</option>)}
    </select>
  );
}

const OTHERS = [
  ["Source", "sourceName"],
  ["Physical name", "physicalName"],
  ["Lifecycle", "lifecycleState"],
  ["Description", "description"],
  ["Schema location", "schemaLocation"],
] as const;

function Comparison({ before, after, versions }: { before: DatasetVersion; after: DatasetVersion; versions: readonly DatasetVersion[] }): JSX.Element {
  const changes = compareFields(before.fields, after.fields);
  const others = OTHERS.filter(([, name]) => (before[name] ?? "") !== (after[name] ?? ""));
  return (
    <div class="comparison">
      <div class="scroll" role="region" aria-label="Comparison of two versions" tabIndex={0}>
        <table class="grid diff">
          <thead>
            <tr>
              <th scope="col"><span class="visually-hidden">Change</span></th>
              <th scope="col">Column</th>
              <th scope="col"><Choice name="before" label="Version before" versions={versions} chosen={before} /></th>
              <th scope="col"><Choice name="after" label="Version after" versions={versions} chosen={after} /></th>
            </tr>
          </thead>
          <tbody>
            {changes.map((each) => (
              <tr key={each.name} class={`diff-${each.change}`}>
                <td><span aria-hidden="true">{MARKS[each.change]}</span><span class="visually-hidden">{WORDS[each.change]}</span></td>
                <th scope="row" class="mono">{each.name}</th>
                <td><Side field={each.before} other={each.after} /></td>
                <td><Side field={each.after} other={each.before} /></td>
              </tr>
            ))}
            {others.map(([title, name]) => (
              <tr key={name} class="diff-changed">
                <td aria-hidden="true">~</td>
                <th scope="row">{title}</th>
                <td>{before[name] || <span class="faint">–</span>}</td>
                <td>{after[name] || <span class="faint">–</span>}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </div>
  );
}

function Side({ field, other }: { field: Field | undefined; other: Field | undefined }): JSX.Element {
  if (!field) return <span class="faint">–</span>;
  const typeDiffers = other !== undefined && other.type !== field.type;
  const textDiffers = other !== undefined && (other.description ?? "") !== (field.description ?? "");
  return (
    <>
      <span class={`mono${typeDiffers ? " differs" : ""}`}>{field.type ?? "no type"}</span>
      {textDiffers && <span class="small differs"> {field.description ?? "no description"}</span>}
    </>
  );
}
