import { render } from "preact";
import type { JSX } from "preact";
import "./style.css";
import { Empty, useTitle } from "./components/basics";
import { Later } from "./components/later";
import { Shell } from "./components/shell";
import { href, parts } from "./lib/router";
import { DatasetPage } from "./pages/dataset";
import { DatasetsPage } from "./pages/datasets";
import { JobPage } from "./pages/job";
import { JobsPage } from "./pages/jobs";
import { LedgerPage } from "./pages/ledger";
import { Overview } from "./pages/overview";
import { RunPage } from "./pages/run";
import { RunsPage } from "./pages/runs";

/** How many parts the addresses of views have. To others the service answers with this page, and status 404. */
const LENGTHS: Readonly<Record<string, readonly number[]>> = {
  overview: [1],
  runs: [1, 2],
  jobs: [1, 3],
  datasets: [1, 3],
  lineage: [1, 4],
  ledger: [1],
};

function isView(of: readonly string[]): boolean {
  const [section, first] = of;
  if (section === undefined) return true;
  if (section === "lineage" && first !== undefined && !/^(job|dataset)$/.test(first)) return false;
  return Object.hasOwn(LENGTHS, section) && LENGTHS[section]?.includes(of.length) === true;
}

function Page(): JSX.Element {
  const [section, first, second] = parts.value;
  if (!isView(parts.value)) return <NoPage />;
  switch (section) {
    case "runs":
      return first === undefined ? <RunsPage /> : <RunPage key={first} id={first} />;
    case "jobs":
      return first === undefined || second === undefined ? <JobsPage /> : <JobPage key={`${first}\n${second}`} namespace={first} name={second} />;
    case "datasets":
      return first === undefined || second === undefined ? <DatasetsPage /> : <DatasetPage key={`${first}\n${second}`} namespace={first} name={second} />;
    case "lineage":
      return <Later read={async () => (await import("./pages/lineage")).LineagePage} />;
    case "ledger":
      return <LedgerPage />;
    default:
      return <Overview />;
  }
}

function NoPage(): JSX.Element {
  useTitle("Not found");
  return (
    <Empty title="There is nothing at this address" page>
      <p>The address may be mistyped, or a link to it may be wrong. In addresses, a slash that belongs to a name is written %2F.</p>
      <a class="button" href={href("/")}>
        Start page
      </a>
    </Empty>
  );
}

const app = document.getElementById("app");
if (app) {
  render(
    <Shell>
      <Page />
    </Shell>,
    app,
  );
}
