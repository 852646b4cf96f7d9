/** What the doctor has found about one thing. */

export interface Check {
  readonly of: "configuration" | "store" | "spill" | "clock" | "public URL" | "refusals" | "events";
  readonly level: "ok" | "warning" | "failure";
  readonly text: string;
}

export const ok = (of: Check["of"], text: string): Check => ({ of, level: "ok", text });
export const warning = (of: Check["of"], text: string): Check => ({ of, level: "warning", text });
export const failure = (of: Check["of"], text: string): Check => ({ of, level: "failure", text });
