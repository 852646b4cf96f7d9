import { createServer } from "node:http";
import { createInbox, type Signal } from "@webhook-inbox/core";
import { nodeHandler } from "@webhook-inbox/core/node";
import { audata } from "@webhook-inbox/core/providers/audata";
import { socialData } from "@webhook-inbox/core/providers/socialdata";
import { sqlite } from "@webhook-inbox/core/sqlite";
import { observeInbox, openTelemetry } from "@webhook-inbox/opentelemetry";

const inbox = createInbox({
  store: sqlite(process.env.DATABASE ?? "webhooks.sqlite"),
  sources: {
    socialdata: socialData({ token: process.env.SOCIALDATA_TOKEN }),
    audata: audata({ token: process.env.AUDATA_TOKEN }),
  },
  telemetry: openTelemetry(),
  onSignal: alert,
});
observeInbox(inbox);

/** What somebody should know at once. Put your pager here. */
function alert(signal: Signal): void {
  if (signal.kind === "possibly_lost") {
    console.log(`ALERT a delivery of ${signal.source} may be lost`);
  } else if (signal.kind === "settled") {
    const { event, outcome } = signal;
    if (outcome.state === "dead" || outcome.state === "quarantined") {
      console.log(`ALERT ${outcome.state} (${outcome.reason}): ${event.key}`);
    }
  } else if (signal.kind === "received") {
    const { source, receipt } = signal;
    if (receipt.kind === "quarantined") {
      console.log(`ALERT quarantined (${receipt.reason}): ${receipt.key}`);
    } else if (receipt.kind === "refused" && receipt.diagnosis !== undefined) {
      console.log(`ALERT refused (${receipt.diagnosis.code}): ${source}`);
    }
  }
}

inbox.on("socialdata", "job_finished", ({ data: job }) => {
  console.log(`handled job ${job.job_id}: ${job.status}`);
});

const webhooks = nodeHandler(inbox);
const server = createServer(async (req, res) => {
  // For balancers: whether deliveries can be kept. For people: the store, the spill, the sources.
  if (req.url === "/ready") return void res.writeHead(inbox.isReady ? 200 : 503).end();
  if (req.url === "/health") return void res.end(JSON.stringify(await inbox.health()));
  webhooks(req, res);
});
server.listen(Number(process.env.PORT ?? 3000), () => {
  console.log("listening on", server.address());
});
