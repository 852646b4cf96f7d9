import { createServer } from "node:http";
import { mount, webhooks } from "@webhook-inbox/express";
import { httpSuite } from "@webhook-inbox/testing/http";
import compression from "compression";
import cors from "cors";
import express5 from "express";
import session from "express-session";
import express4 from "express4";
import helmet from "helmet";
import { describe, test } from "vitest";
import { started } from "../../../tests/support/http.ts";

for (const [version, express] of Object.entries({ "Express 5": express5, "Express 4": express4 })) {
  describe(version, () => {
    httpSuite({
      test,
      hasFront: true,
      afterParser: "rebuilt",
      serve(given, { prefix, parser, isFronted, pages }) {
        const app = express();
        const routes = express.Router();
        const middleware = webhooks(given);
        if (isFronted) {
          const secret = { secret: "x", resave: true, saveUninitialized: true };
          app.use(helmet(), compression({ threshold: 0 }), cors(), session(secret));
        }
        if (parser === "before") app.use(express.json(), express.urlencoded({ extended: false }));
        routes.use(middleware);
        if (parser === "after") app.use(prefix || "/", middleware);
        if (parser === "after") app.use(express.json());
        routes.use("/pages", mount(pages));
        routes.get("/home", (_req, res) => void res.send("home"));
        routes.get("/webhooks", (_req, res) => void res.send("mine"));
        routes.post("/echo", express.json(), (req, res) => void res.json(req.body));
        app.use(prefix || "/", routes);
        return started(createServer(app), middleware.inbox);
      },
    });
  });
}
