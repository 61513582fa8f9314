// Bundles src/ into the directory that the service serves, and compresses every file once, so that no request does.
// usage: node build.mjs OUTPUT

import { build } from "esbuild";
import { createHash } from "node:crypto";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { brotliCompress, constants, gzip } from "node:zlib";

const here = dirname(fileURLToPath(import.meta.url));
const output = resolve(process.argv[2] ?? join(here, "../service/http/ui/dist"));
const assets = join(output, "assets");

async function compressed(path, content) {
  await writeFile(path, content);
  const gz = await promisify(gzip)(content, { level: 9 });
  const br = await promisify(brotliCompress)(content, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } });
  if (gz.length < content.length) {
    await writeFile(`${path}.gz`, gz);
    await writeFile(`${path}.br`, br);
  }
}

await rm(output, { recursive: true, force: true });
await mkdir(assets, { recursive: true });
const common = {
  absWorkingDir: here,
  outdir: assets,
  entryNames: "[name]-[hash]",
  bundle: true,
  format: "esm",
  target: ["es2022"],
  minify: true,
  legalComments: "none",
  write: false,
  logLevel: "warning",
};
const worker = await build({ ...common, entryPoints: { layout: "src/lineage/worker.ts" } });
const workerName = `assets/${basename(worker.outputFiles[0].path)}`;
const result = await build({
  ...common,
  entryPoints: { main: "src/main.tsx", theme: "src/theme_early.ts" },
  chunkNames: "chunk-[hash]",
  assetNames: "[name]-[hash]",
  splitting: true,
  jsx: "automatic",
  jsxImportSource: "preact",
  loader: { ".svg": "file" },
  metafile: true,
  define: { LAYOUT_WORKER: JSON.stringify(workerName) },
});
for (const file of [...worker.outputFiles, ...result.outputFiles]) {
  await compressed(join(assets, basename(file.path)), Buffer.from(file.contents));
}
const outputs = Object.keys(result.metafile.outputs).map((name) => basename(name));
const named = (start, end) => `assets/${outputs.find((name) => name.startsWith(start) && name.endsWith(end))}`;
// What main needs is asked for together with it. The page has the navigation already, which is painted before any script.
const main = Object.values(result.metafile.outputs).find((output) => output.entryPoint === "src/main.tsx");
const preloads = main.imports
  .filter((each) => each.kind === "import-statement")
  .map((each) => `<link rel="modulepreload" href="assets/${basename(each.path)}">\n`);
const views = await build({ absWorkingDir: here, entryPoints: ["src/lib/views.ts"], format: "esm", write: false });
const { VIEWS } = await import(`data:text/javascript;base64,${Buffer.from(views.outputFiles[0].contents).toString("base64")}`);
const links = [...VIEWS.map((view) => `<a href=".${view.path}">${view.name}</a>`), '<a href="./docs" data-plain>API</a>'];
const icon = await readFile(join(here, "src/icon.svg"));
const iconName = `assets/icon-${createHash("sha256").update(icon).digest("hex").slice(0, 8)}.svg`;
await compressed(join(output, iconName), icon);
const page = (await readFile(join(here, "index.html"), "utf8"))
  .replace("@icon@", iconName)
  .replace("@style@", named("main-", ".css"))
  .replace("@views@", links.join(""))
  .replace("@preloads@", preloads.join(""))
  .replace("@theme@", named("theme-", ".js"))
  .replace("@script@", named("main-", ".js"));
await writeFile(join(output, "index.html"), page);
