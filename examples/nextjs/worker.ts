import { inbox } from "./inbox";

// What waits in the store need not wait for a delivery.
await inbox().start();

process.once("SIGTERM", async () => {
  await inbox().close();
  process.exit();
});
