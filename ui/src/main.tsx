import { render } from "preact";
import type { JSX } from "preact";
import "./style.css";
import { Empty } from "./components/basics";
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

function Page(): JSX.Element {
  const [section, first, second] = parts.value;
  switch (section) {
    case undefined:
    case "overview":
      return <Overview />;
    case "runs":
      return first === undefined ? <RunsPage /> : <RunPage key={first} id={first} />;
    case "jobs":
      if (first === undefined) return <JobsPage />;
      return second === undefined ? <NoPage /> : <JobPage key={`${first}\n${second}`} namespace={first} name={second} />;
    case "datasets":
      if (first === undefined) return <DatasetsPage />;
      return second === undefined ? <NoPage /> : <DatasetPage key={`${first}\n${second}`} namespace={first} name={second} />;
    case "lineage":
      if (first !== undefined && (second === undefined || !/^(job|dataset)$/.test(first))) return <NoPage />;
      return <Later read={async () => (await import("./pages/lineage")).LineagePage} />;
    case "ledger":
      return <LedgerPage />;
    default:
      return <NoPage />;
  }
}

function NoPage(): JSX.Element {
  return (
    <Empty title="There is no such page" page>
      <a class="button" href={href("/")}>
        Overview
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
