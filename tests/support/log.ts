/** A logger that remembers. */

import type { Logger } from "@webhook-inbox/core";

export interface Remembered {
  readonly level: "debug" | "info" | "warn" | "error";
  readonly fields: object;
  readonly message: string;
}

export function rememberingLogger(): { readonly logger: Logger; readonly lines: Remembered[] } {
  const lines: Remembered[] = [];
  const at =
    (level: Remembered["level"]) =>
    (fields: object, message: string): void => {
      lines.push({ level, fields, message });
    };
  return {
    lines,
    logger: { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") },
  };
}
