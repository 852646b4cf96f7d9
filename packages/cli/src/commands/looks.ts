/** Commands that look, and change nothing. */

import type { Command } from "commander";
import { command, withInbox, type Common } from "../command.ts";
import type { Console } from "../console.ts";
import { filterOf, wholeNumber, withScope, withSelection } from "../select.ts";
import { audit } from "./audit.ts";
import { list } from "./list.ts";
import { show, showBody } from "./show.ts";
import { stats } from "./stats.ts";
import { tail } from "./tail.ts";

export function defineLooks(program: Command, console: Console): void {
  withSelection(command(program, "list", "events, newest first"))
    .option("--limit <number>", "how many at most", wholeNumber, 20)
    .action(async (options: Common & { readonly limit: number }) => {
      const { limit, json = false } = options;
      const filter = filterOf(options);
      await withInbox(options, console, (inbox) => list(inbox, filter, { limit, json }, console));
    });

  withSelection(command(program, "tail", "events as they come in, until it is stopped")).action(
    async (options: Common) => {
      const { json = false } = options;
      await withInbox(options, console, (inbox) => tail(inbox, filterOf(options), json, console));
    },
  );

  command(
    program,
    "show <key>",
    "one event, with its attempts and its delivery; what is personal is masked",
  )
    .option("--raw", "only the exact bytes of the body, into a file or a pipe")
    .action(async (key: string, options: Common & { readonly raw?: true }) => {
      const { json = false, raw = false } = options;
      await withInbox(options, console, (inbox) =>
        raw ? showBody(inbox, key, console) : show(inbox, key, json, console),
      );
    });

  withScope(command(program, "stats", "how many events stand where, by source and type")).action(
    async (options: Common) => {
      const { source, type, since, until, json = false } = options;
      const query = { source, type, from: since, before: until };
      const given = Object.entries(query).filter(([, value]) => value !== undefined);
      await withInbox(options, console, (inbox) =>
        stats(inbox, Object.fromEntries(given), json, console),
      );
    },
  );

  command(program, "audit", "count everything, and account for every event ever taken").action(
    async (options: Common) => {
      await withInbox(options, console, (inbox) => audit(inbox, options.json ?? false, console));
    },
  );
}
