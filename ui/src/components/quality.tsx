// What checks and writers report of the content of a dataset: assertions, and figures of its columns.

import type { JSX } from "preact";
import { field } from "./run_row";

interface Assertion {
  name: string;
  column: string | null;
  success: boolean;
  severity: string | null;
  detail: string;
}

const SHOWN_ELSEWHERE = new Set(["assertion", "success", "column", "severity", "name"]);
export const QUALITY_FACETS = ["dataQualityAssertions", "dataQualityMetrics", "inputStatistics", "outputStatistics"];

function textOf(value: unknown): string {
  return typeof value === "string" ? value : typeof value === "number" || typeof value === "boolean" ? String(value) : "";
}

export function assertionsOf(facets: Record<string, unknown>): Assertion[] {
  const all = field(facets["dataQualityAssertions"], "assertions");
  if (!Array.isArray(all)) return [];
  return all.map((each: unknown) => ({
    name: textOf(field(each, "assertion")) || textOf(field(each, "name")),
    column: textOf(field(each, "column")) || null,
    success: field(each, "success") === true,
    severity: textOf(field(each, "severity")) || null,
    detail: Object.entries(typeof each === "object" && each !== null ? each : {})
      .filter(([name, value]) => !SHOWN_ELSEWHERE.has(name) && !name.startsWith("_") && textOf(value) !== "")
      .map(([name, value]) => `${name}: ${textOf(value)}`)
      .join(", "),
  }));
}

/** Counts the assertions that held, and those that did not. */
export function qualityOf(facets: Record<string, unknown>): { passed: number; failed: number } {
  const all = assertionsOf(facets);
  const passed = all.filter((each) => each.success).length;
  return { passed, failed: all.length - passed };
}

function number(value: unknown): string {
  return typeof value === "number" ? value.toLocaleString(undefined, { maximumFractionDigits: 4 }) : textOf(value);
}

function bytes(value: unknown): string {
  if (typeof value !== "number") return "";
  const units = ["B", "kB", "MB", "GB", "TB", "PB"];
  let rest = value;
  let unit = 0;
  while (rest >= 1_000 && unit < units.length - 1) {
    rest /= 1_000;
    unit++;
  }
  return `${rest.toLocaleString(undefined, { maximumFractionDigits: 1 })} ${units[unit]}`;
}

const METRICS: readonly [string, string][] = [
  ["nullCount", "Nulls"],
  ["distinctCount", "Distinct"],
  ["count", "Count"],
  ["min", "Least"],
  ["max", "Most"],
  ["sum", "Sum"],
];

export function Statistics({ facets }: { facets: Record<string, unknown> }): JSX.Element | null {
  const facts = ["dataQualityMetrics", "outputStatistics", "inputStatistics"].flatMap((name) => {
    const facet = facets[name];
    const rows = field(facet, "rowCount");
    const size = field(facet, "bytes") ?? field(facet, "size");
    const files = field(facet, "fileCount");
    return [
      typeof rows === "number" ? ["Rows", number(rows)] : null,
      typeof size === "number" ? ["Size", bytes(size)] : null,
      typeof files === "number" ? ["Files", number(files)] : null,
    ].filter((each) => each !== null);
  });
  if (facts.length === 0) return null;
  return (
    <dl class="facts-of-run plain">
      {facts.map(([name, value], index) => (
        <div key={index} class="fact"><dt>{name}</dt><dd>{value}</dd></div>
      ))}
    </dl>
  );
}

export function Quality({ facets }: { facets: Record<string, unknown> }): JSX.Element | null {
  const assertions = assertionsOf(facets);
  const metrics = field(facets["dataQualityMetrics"], "columnMetrics");
  const columns = typeof metrics === "object" && metrics !== null ? Object.entries(metrics) : [];
  if (!QUALITY_FACETS.some((name) => name in facets)) return null;
  const present = METRICS.filter(([name]) => columns.some(([, of]) => field(of, name) !== undefined));
  const failed = assertions.filter((each) => !each.success).length;
  return (
    <section class="panel" aria-label="Quality">
      <header>
        <h2>Quality</h2>
        {assertions.length > 0 && (
          <span class={failed ? "tag bad" : "tag ok"}>{failed ? `✗ ${failed} of ${assertions.length} failed` : `✓ all ${assertions.length} hold`}</span>
        )}
      </header>
      <Statistics facets={facets} />
      {assertions.length > 0 && (
        <ul class="assertions">
          {assertions.toSorted((one, other) => Number(one.success) - Number(other.success)).map((each, index) => (
            <li key={index} class={each.success ? "COMPLETED" : "FAILED"}>
              <b aria-hidden="true">{each.success ? "✓" : "✗"}</b>
              <span class="visually-hidden">{each.success ? "holds:" : "failed:"}</span>
              <span>{each.name}</span>
              {each.column !== null && <span class="mono faint">{each.column}</span>}
              {each.severity !== null && <span class="tag">{each.severity}</span>}
              {each.detail && <span class="faint small">{each.detail}</span>}
            </li>
          ))}
        </ul>
      )}
      {columns.length > 0 && present.length > 0 && (
        <div class="scroll" tabIndex={0} role="region" aria-label="Figures of columns">
          <table class="grid">
            <thead>
              <tr><th scope="col">Column</th>{present.map(([name, title]) => <th key={name} scope="col" class="right">{title}</th>)}<th scope="col">Quantiles</th></tr>
            </thead>
            <tbody>
              {columns.map(([name, of]) => (
                <tr key={name}>
                  <th scope="row" class="mono">{name}</th>
                  {present.map(([metric]) => <td key={metric} class="right">{number(field(of, metric))}</td>)}
                  <td class="faint small">{quantiles(field(of, "quantiles"))}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}

function quantiles(value: unknown): string {
  if (typeof value !== "object" || value === null) return "";
  return Object.entries(value).map(([share, at]) => `${share}: ${number(at)}`).join("  ");
}
