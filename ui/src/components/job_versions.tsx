// The versions of a job: each is what its runs read and write, and where its code is.

import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import type { DatasetId, JobVersion, JobVersions as Listed } from "../lib/api_types";
import { lineage } from "../lib/lineage_api";
import { type Answer, useAnswer } from "../lib/query";
import { href, paths } from "../lib/router";
import { State, Time } from "./basics";
import { DatasetLink } from "./dataset_link";

const LISTED = 20;

/**
 * Reads the versions of a job, and again when the current one is another. `current`: its id, null where there is none,
 * undefined while it is not known. What is being read is not given up then: of a job whose runs have versions in turn,
 * no answer would arrive in time.
 */
export function useJobVersions(namespace: string, name: string, current: string | null | undefined): Answer<Listed> {
  const answer = useAnswer(`job/versions/${namespace}\n${name}`, (signal) => lineage.jobVersions(namespace, name, { limit: LISTED }, signal));
  const known = useRef(current);
  useEffect(() => {
    if (known.current !== undefined && known.current !== current) answer.reload();
    known.current = current;
  }, [current]);
  return answer;
}

export function JobVersions({ answer, current }: { answer: Answer<Listed>; current: string | null }): JSX.Element | null {
  const versions = answer.data?.versions ?? [];
  if (versions.length === 0) return null;
  return (
    <section class="panel" aria-label="Versions">
      <header>
        <h2>Versions</h2>
        <span class="faint">{versions.length === LISTED ? `the newest ${LISTED}` : versions.length}</span>
      </header>
      <ol class="version-list" aria-label="Versions, newest first">
        {versions.map((version, index) => (
          <li key={version.version}>
            <Time at={version.createdAt} />
            <code class="faint">{version.version.slice(0, 8)}</code>
            {version.version === current && <span class="tag ok">current</span>}
            {version.latestRun && (
              <a class="nowrap" href={href(paths.run(version.latestRun.id))}><State state={version.latestRun.state} short /> latest run</a>
            )}
            <Differences version={version} before={versions[index + 1]} />
          </li>
        ))}
      </ol>
    </section>
  );
}

function missing(from: readonly DatasetId[], other: readonly DatasetId[]): DatasetId[] {
  const names = new Set(other.map((each) => `${each.namespace}\n${each.name}`));
  return from.filter((each) => !names.has(`${each.namespace}\n${each.name}`));
}

function Differences({ version, before }: { version: JobVersion; before: JobVersion | undefined }): JSX.Element {
  if (!before) return <span class="faint small">{version.inputs.length} read, {version.outputs.length} written</span>;
  const parts: [string, DatasetId[]][] = [
    ["now reads", missing(version.inputs, before.inputs)],
    ["no longer reads", missing(before.inputs, version.inputs)],
    ["now writes", missing(version.outputs, before.outputs)],
    ["no longer writes", missing(before.outputs, version.outputs)],
  ];
  return (
    <span class="small differences">
      {parts.filter(([, all]) => all.length > 0).map(([text, all]) => (
        <span key={text}>
          <span class="faint">{text} </span>
          {all.slice(0, 5).map((each) => <><DatasetLink dataset={each} namespace={false} /> </>)}
          {all.length > 5 && <span class="faint">and {all.length - 5} more</span>}
        </span>
      ))}
      {version.location !== before.location && <span class="faint">code is at {version.location ?? "no place that is told"}</span>}
    </span>
  );
}
