// Downloads of what is shown. The request has the key as a header, so it cannot be a plain link.

import { say } from "../components/basics";
import { ApiError, request } from "./api";

export async function download(path: string, type: string, name: string): Promise<void> {
  say(`${name} is being read…`);
  try {
    const response = await request(path, { headers: { Accept: type } });
    const url = URL.createObjectURL(await response.blob());
    const link = document.createElement("a");
    link.href = url;
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(url), 60_000);
    say(`${name} is saved`);
  } catch (error) {
    say(error instanceof ApiError ? `${name}: ${error.message}` : `${name} broke off`);
  }
}
