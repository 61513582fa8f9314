/** The views of the navigation, in its order; `key` follows "g" on the keyboard. */
export const VIEWS = [
  { path: "/", name: "Overview", key: "o" },
  { path: "/runs", name: "Runs", key: "r" },
  { path: "/jobs", name: "Jobs", key: "j" },
  { path: "/datasets", name: "Datasets", key: "d" },
  { path: "/lineage", name: "Lineage", key: "i" },
  { path: "/ledger", name: "Ledger", key: "l" },
] as const;
