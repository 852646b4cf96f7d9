/** What the dashboard answers, and to whom: the whole of it, as data. */

import type { Call } from "./call.ts";
import { askPage, begin } from "./pages/act.ts";
import { bodyDownload, deliveryPage } from "./pages/delivery.ts";
import { eventPage } from "./pages/event.ts";
import { eventsPage, find } from "./pages/events.ts";
import { overviewPage } from "./pages/overview.ts";
import { progress, runPage, runsPage, stop } from "./pages/runs.ts";
import type { Route } from "./site/routes.ts";

/** The act of erasing takes the role `erase`, and the others `act`, to begin and to stop them: their pages ask for it themselves. */
export const routes: readonly Route<Call>[] = [
  { method: "GET", path: "/", answer: overviewPage },
  { method: "GET", path: "/events", answer: eventsPage },
  { method: "GET", path: "/find", answer: find },
  { method: "GET", path: "/events/:key", answer: eventPage },
  { method: "GET", path: "/events/:key/delivery", role: "payloads", answer: deliveryPage },
  { method: "GET", path: "/events/:key/body", role: "payloads", answer: bodyDownload },
  { method: "GET", path: "/act", answer: askPage },
  { method: "POST", path: "/act", answer: begin },
  { method: "GET", path: "/acts", answer: runsPage },
  { method: "GET", path: "/acts/:id", answer: runPage },
  { method: "GET", path: "/acts/:id/progress", answer: progress },
  { method: "POST", path: "/acts/:id/stop", answer: stop },
];
