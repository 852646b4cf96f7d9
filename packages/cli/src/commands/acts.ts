/** Commands that change something. */

import type { Command } from "commander";
import { command, withInbox, type Common } from "../command.ts";
import type { Console } from "../console.ts";
import { Exit } from "../exit.ts";
import { filterOf, wholeNumber, withSelection } from "../select.ts";
import { act, selectionOf, type ActOptions, type Verb } from "./act.ts";
import { verifyAgain } from "./verify-again.ts";

type Acting = Common & ActOptions;

export function defineActs(program: Command, console: Console): void {
  const define = (verb: Verb, description: string): Command =>
    steering(withSelection(command(program, `${verb} [keys...]`, description))).action(
      async (keys: readonly string[], options: Acting) => {
        const which = selectionOf(keys, filterOf(options));
        await withInbox(options, console, (inbox) => act(inbox, verb, which, options, console));
      },
    );

  define("replay", "run unfinished handlers again, from the first attempt")
    .option("--per-second <number>", "how many become due in a second", wholeNumber)
    .option("--rerun", "run all handlers again, with new idempotency keys");
  define("release", "let quarantined events be read again, and handled");
  define("cancel", "end events that are not to be handled");
  define("erase", "destroy deliveries and all that came of them; it cannot be undone");

  const about = "verify refused deliveries again, with the secrets of now; needs --inbox";
  steering(command(program, "verify-again", about))
    .option("--source <name>", "only of this source")
    .action(async (options: Acting) => {
      if (options.inbox === undefined) {
        throw new Exit(
          "usage",
          "verify-again needs your sources and their secrets: --inbox <module>.",
        );
      }
      await withInbox(options, console, (inbox) => verifyAgain(inbox, options, console));
    });
}

function steering(one: Command): Command {
  return one
    .option("--dry-run", "change nothing, and say how many would be changed")
    .option("--yes", "ask nothing")
    .option("--by <name>", "who does it; kept with each event (default: your user name)")
    .option("--why <reason>", "why; kept with each event");
}
