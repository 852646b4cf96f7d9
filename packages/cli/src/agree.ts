/** Asks somebody to say that it is meant. */

import type { Console } from "./console.ts";
import { Exit } from "./exit.ts";

interface Meaning {
  /** What would be done, such as `erase 3 events. This cannot be undone.` */
  readonly does: string;
  /** What has to be typed. */
  readonly phrase: string;
  /** What else could be done where nobody can type. */
  readonly else: string;
}

/** Resolves once it was typed at the terminal. Throws where there is none, and for anything else that was typed. */
export async function agree(
  { does, phrase, else: hint }: Meaning,
  { out, err, ask }: Console,
): Promise<void> {
  if (out.isTTY !== true || err.isTTY !== true) {
    throw new Exit("refused", `this would ${does} Add --yes${hint}.`);
  }
  const answer = await ask(`This will ${does} Type ${phrase} to go on: `).catch(() => "");
  if (answer.trim() !== phrase) throw new Exit("refused", "nothing was changed.");
}
