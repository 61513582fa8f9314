// One dataset: its columns and their versions, who writes and reads it, its quality, and what was changed by hand.

import type { ComponentChildren, JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { CurlButton, Empty, FullName, Problem, Skeleton, Time, useTitle } from "../components/basics";
import { Fields } from "../components/dataset_fields";
import { LineageButton } from "../components/dataset_link";
import { Users, useUsers } from "../components/dataset_users";
import { readVersions, useVersions, VersionsPanel } from "../components/dataset_versions";
import { Facets } from "../components/facets";
import { AsOf, MomentBar } from "../components/moment_bar";
import { Quality, QUALITY_FACETS } from "../components/quality";
import { field } from "../components/run_row";
import { Tags } from "../components/tags";
import { target } from "../lib/api";
import type { Dataset, DatasetId, EventPage } from "../lib/api_types";
import { datasetPath, lineage, nodes } from "../lib/lineage_api";
import { carried, isPast, type Moment, momentOf } from "../lib/moment";
import { type Answer, useAnswer, useSettled } from "../lib/query";
import { href } from "../lib/router";
import { useStream, useThrottled } from "../lib/stream";
import { ms } from "../lib/time";

const RELOAD_MS = 4_000;
const STOPS = 100;
const PRESENT: Moment = { knownAt: null, validAt: null };

export function DatasetPage({ namespace, name }: DatasetId): JSX.Element {
  useTitle(name);
  const id = { namespace, name };
  const moment = momentOf();
  const past = isPast(moment);
  const current = useAnswer(`dataset/${namespace}\n${name}`, (signal) => lineage.dataset(id, {}, signal));
  const then = useAnswer(past ? `dataset/${namespace}\n${name}\n${moment.knownAt}\n${moment.validAt}` : null, (signal) =>
    lineage.dataset(id, { ...moment }, signal));
  const stops = useAnswer(`stops/${namespace}\n${name}\n${current.data?.currentVersion ?? ""}`, (signal) => readVersions(id, PRESENT, STOPS, signal));
  const fresh = useRef(0);
  const reload = useThrottled(() => {
    fresh.current++;
    current.reload();
  }, RELOAD_MS);
  useStream(() => reload()); // which events of runs name the dataset is not in the stream
  const shown = past ? then.data : current.data;
  const times = (stops.data?.versions ?? []).map((version) => version.createdAt).sort((one, other) => ms(one) - ms(other));
  if (!current.data) return <NoDataset id={id} answer={current} />;
  return (
    <div class="stack">
      <div class="head">
        <h1 title={`${namespace} / ${name}`}><FullName namespace={namespace} name={name} /></h1>
        {shown && <Marks dataset={shown} />}
        {!past && (
          <Tags tags={current.data.tags} of="the dataset" changed={current.reload} change={(tag, present) => lineage.tag(id, null, tag, present)} />
        )}
        <span class="space" />
        <LineageButton node={nodes.dataset(current.data.namespace, current.data.name)} query={carried(moment)} />
        <CurlButton path={target(datasetPath(id), { ...moment })} />
      </div>
      <MomentBar moment={moment} from={ms(current.data.createdAt)} stops={times} />
      <AsOf moment={moment} what="the dataset">Tags and the mapping of columns are those of now only.</AsOf>
      {past && then.error && (
        then.error.status === 404 ? <p class="panel body">Nothing was known of this dataset then.</p> : <Problem error={then.error} retry={then.reload} />
      )}
      {past && !shown && !then.error && <Skeleton rows={14} />}
      {shown && <Known dataset={shown} moment={moment} changed={current.reload} fresh={fresh.current} />}
    </div>
  );
}

function NoDataset({ id, answer }: { id: DatasetId; answer: Answer<Dataset> }): JSX.Element {
  if (answer.error?.status === 404) {
    return (
      <Empty title="There is no such dataset" page>
        <p>No event has named <code>{id.namespace} / {id.name}</code>, it was deleted, or the API key may not see it.</p>
        <a class="button" href={href("/datasets")}>All datasets</a>
      </Empty>
    );
  }
  return answer.error ? <Problem error={answer.error} retry={answer.reload} /> : <Skeleton rows={16} />;
}

function Marks({ dataset }: { dataset: Dataset }): JSX.Element {
  return (
    <>
      <span class="tag">{dataset.type === "STREAM" ? "stream" : "table"}</span>
      {dataset.deleted && <span class="tag warn" title="Dropped, and not written since">dropped</span>}
    </>
  );
}

function Known({ dataset, moment, changed, fresh }: { dataset: Dataset; moment: Moment; changed: () => void; fresh: number }): JSX.Element {
  const past = isPast(moment);
  const elsewhere = new Set([...QUALITY_FACETS, "schema", "columnLineage", "dataSource", "ownership", "documentation"]);
  const facets = Object.fromEntries(Object.entries(dataset.facets).filter(([name]) => !elsewhere.has(name)));
  const versions = useVersions(dataset.id, moment, dataset.currentVersion);
  const users = useUsers(dataset, moment, fresh);
  const commands = useCommands(dataset.id, fresh);
  const withUsers = useSettled(versions);
  const withOthers = useSettled(versions, users.answer, commands);
  return (
    <>
      {dataset.description && <p class="prose" tabIndex={0}>{dataset.description}</p>}
      <Facts dataset={dataset} past={past} />
      <Fields dataset={dataset} past={past} changed={changed} query={carried(moment)} />
      <VersionsPanel answer={versions} current={dataset.currentVersion} />
      {withUsers && <Users dataset={dataset} past={past} users={users} />}
      {withOthers && (
        <div class="columns">
          <Quality facets={dataset.facets} />
          {!past && <Commands answer={commands} />}
          <Facets title="Other facets" facets={facets} />
        </div>
      )}
      {dataset.facetsOmitted !== undefined && <p class="faint small">{dataset.facetsOmitted} facets are too large to be shown here.</p>}
    </>
  );
}

function Fact({ name, children }: { name: string; children: ComponentChildren }): JSX.Element {
  return <div class="fact"><dt>{name}</dt><dd>{children}</dd></div>;
}

function Facts({ dataset, past }: { dataset: Dataset; past: boolean }): JSX.Element {
  const owners = field(dataset.facets["ownership"], "owners");
  const names = Array.isArray(owners) ? owners.map((owner: unknown) => String(field(owner, "name") ?? "")).filter(Boolean) : [];
  return (
    <dl class="panel facts-of-run">
      <Fact name="Source">{dataset.sourceName}</Fact>
      {dataset.physicalName !== dataset.name && <Fact name="Physical name"><span class="mono">{dataset.physicalName}</span></Fact>}
      <Fact name="First seen"><Time at={dataset.createdAt} /></Fact>
      {!past && <Fact name="Last event"><Time at={dataset.updatedAt} ago /></Fact>}
      <Fact name="Version"><code>{dataset.currentVersion.slice(0, 8)}</code></Fact>
      {dataset.lastLifecycleState && <Fact name="Lifecycle">{dataset.lastLifecycleState.toLowerCase()}</Fact>}
      {dataset.schemaLocation && <Fact name="Schema location">{dataset.schemaLocation}</Fact>}
      {names.length > 0 && <Fact name="Owners">{names.join(", ")}</Fact>}
    </dl>
  );
}

function useCommands(id: DatasetId, fresh: number): Answer<EventPage> {
  const answer = useAnswer(`commands/${id.namespace}\n${id.name}`, (signal) => lineage.history(id, { limit: 100 }, signal));
  useEffect(() => {
    if (fresh > 0) answer.reload();
  }, [fresh]);
  return answer;
}

/** What was defined, deleted and tagged, and by which key. */
function Commands({ answer }: { answer: Answer<EventPage> }): JSX.Element | null {
  const events = answer.data?.events ?? [];
  if (events.length === 0) return null;
  return (
    <section class="panel" aria-label="Changes">
      <header>
        <h2>Changed by hand</h2>
        <span class="faint">{answer.data?.next ? "the first " : ""}{events.length}</span>
      </header>
      <ul class="short-list">
        {events.toReversed().map((event) => (
          <li key={event.position}>
            <Time at={event.recordedAt} />
            <span class="cut">{event.kind.replaceAll("_", " ")} {detail(event.payload)}</span>
            <span class="faint">{event.actor ?? ""}</span>
            <span class="faint small">#{event.position}</span>
          </li>
        ))}
      </ul>
    </section>
  );
}

function detail(payload: unknown): string {
  const tag = field(payload, "tag") ?? field(payload, "name");
  const column = field(payload, "field");
  return [tag, column === undefined ? null : `of ${String(column)}`].filter((each) => typeof each === "string").join(" ");
}
