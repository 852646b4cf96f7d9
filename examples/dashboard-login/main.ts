import { timingSafeEqual } from "node:crypto";
import { createInbox } from "@webhook-inbox/core";
import { socialData } from "@webhook-inbox/core/providers/socialdata";
import { sqlite } from "@webhook-inbox/core/sqlite";
import { dashboard } from "@webhook-inbox/dashboard";
import { mount, webhooks } from "@webhook-inbox/express";
import express, { type RequestHandler } from "express";
import session from "express-session";

declare module "express-session" {
  interface SessionData {
    user: string;
  }
}

const port = Number(process.env.PORT ?? 3000);
const inbox = createInbox({
  store: sqlite(process.env.DATABASE ?? "webhooks.sqlite"),
  sources: { socialdata: socialData({ token: process.env.SOCIALDATA_TOKEN }) },
});
inbox.on("socialdata", "job_finished", ({ data: job }) => {
  if (job.status === "error") throw new Error(`job ${job.job_id}: ${job.message}`);
});

const app = express();
app.use(webhooks(inbox));

// The password of your operators. An application of your own has users and a login already.
const password = Buffer.from(process.env.PASSWORD ?? "");
const isRight = (given: unknown): boolean => {
  const bytes = Buffer.from(String(given));
  return (
    password.length > 0 && bytes.length === password.length && timingSafeEqual(bytes, password)
  );
};
app.use(
  session({
    secret: process.env.SESSION_SECRET ?? "change me",
    resave: false,
    saveUninitialized: false,
  }),
);
app.get("/login", (_req, res) => {
  res.send(
    '<form method="post"><input type="password" name="password" autofocus> <button>Log in</button></form>',
  );
});
app.post("/login", express.urlencoded({ extended: false }), (req, res) => {
  const { password: given } = req.body as { readonly password?: string };
  if (!isRight(given)) return void res.status(403).send("no");
  req.session.user = "operator";
  res.redirect("/ops");
});

// Who has not logged in does not reach the dashboard; who has is named to it.
const onlyOperators: RequestHandler = (req, res, next) => {
  if (req.session.user === undefined) return res.redirect("/login");
  req.headers["x-operator"] = req.session.user;
  next();
};
const board = dashboard(inbox, {
  access: (request) => ({
    by: request.headers.get("x-operator") ?? "",
    roles: ["payloads", "act"],
  }),
});
app.use("/ops", onlyOperators, mount(board));

app.listen(port, () => console.log(`listening on ${port}`));
