import { render } from "preact";
import type { JSX } from "preact";
import "./style.css";
import { Empty } from "./components/basics";
import { Shell } from "./components/shell";
import { href, parts } from "./lib/router";
import { RunPage } from "./pages/run";
import { RunsPage } from "./pages/runs";

function Page(): JSX.Element {
  const [section, first] = parts.value;
  if (section === "runs") return first === undefined ? <RunsPage /> : <RunPage key={first} id={first} />;
  return <NoPage />;
}

function NoPage(): JSX.Element {
  return (
    <Empty title="There is no such page">
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
