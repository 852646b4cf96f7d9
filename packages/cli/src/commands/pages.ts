/** Commands that serve pages: the dashboard, and the sandbox. */

import type { Command } from "commander";
import { dashboard } from "@webhook-inbox/dashboard";
import { command, withInbox, type Common } from "../command.ts";
import type { Console } from "../console.ts";
import { Owner, serveLocal } from "../local.ts";
import { Sandbox } from "../sandbox/sandbox.ts";
import { sandboxSite } from "../sandbox/site.ts";
import { portNumber, urlBase } from "../select.ts";

interface Serving {
  readonly port: number;
}

export function definePages(program: Command, console: Console): void {
  command(program, "dashboard", "the dashboard, on this machine alone, until it is stopped")
    .option("--port <number>", "where; 0: any that is free", portNumber, 4280)
    .action(async (options: Common & Serving) => {
      await withInbox(options, console, async (inbox) => {
        const owner = new Owner();
        const handler = dashboard(inbox, { access: owner.access });
        await serveLocal("The dashboard", { handler, owner, port: options.port }, console);
      });
    });

  program
    .command("sandbox")
    .description("the sending side of SocialData, Audata and Captain Data, to play with")
    .option("--port <number>", "where; 0: any that is free", portNumber, 4281)
    .option(
      "--tunnel <url>",
      "what https://hooks.example.com leads to, since Audata calls https alone",
      urlBase,
      "http://localhost:3000",
    )
    .action(async ({ port, tunnel }: Serving & { readonly tunnel: string }) => {
      const sandbox = await Sandbox.start(tunnel);
      try {
        const owner = new Owner();
        const handler = sandboxSite(sandbox, owner.access);
        await serveLocal("The sandbox", { handler, owner, port }, console);
      } finally {
        await sandbox.close();
      }
    });
}
