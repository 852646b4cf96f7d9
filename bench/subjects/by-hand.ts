/** What people write by hand: one durable INSERT for each request, or a comparison of the signature. */

import { createHmac, timingSafeEqual } from "node:crypto";
import { DatabaseSync } from "node:sqlite";
import express from "express";
import {
  application,
  countIn,
  directory,
  idOf,
  ignore,
  onBody,
  paths,
  poolOn,
  schema,
  secret,
  type MakeSubject,
} from "./subject.ts";

export const byHand: Readonly<Record<string, MakeSubject>> = {
  "HMAC by hand": async () => {
    const app = express();
    app.post(paths.github, (request, response) => {
      onBody(request, (body) => {
        const wanted = `sha256=${createHmac("sha256", secret).update(body).digest("hex")}`;
        const given = String(request.headers["x-hub-signature-256"]).padEnd(wanted.length);
        const isRight = timingSafeEqual(Buffer.from(wanted), Buffer.from(given));
        response.statusCode = isRight ? 200 : 401;
        response.end("ok");
      });
    });
    return { listener: app, shape: "github", close: ignore };
  },

  "node:sqlite INSERT": async () => {
    const { file, remove } = directory();
    const database = new DatabaseSync(file);
    database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL");
    database.exec("CREATE TABLE events (id TEXT PRIMARY KEY, body BLOB NOT NULL) STRICT");
    const insert = database.prepare("INSERT INTO events VALUES (?, ?) ON CONFLICT DO NOTHING");
    const count = database.prepare("SELECT count(*) AS count FROM events");
    return {
      listener: application((body) => insert.run(idOf(body), body)),
      shape: "audata",
      counts: async () => ({ kept: Number(count.get()?.["count"]), handled: undefined }),
      async close() {
        database.close();
        await remove();
      },
    };
  },

  "pg INSERT": async (places) => {
    const pool = poolOn(places);
    const events = `${schema}.events`;
    await pool.query(
      `CREATE SCHEMA ${schema}; CREATE TABLE ${events} (id text PRIMARY KEY, body bytea NOT NULL)`,
    );
    const text = `INSERT INTO ${events} VALUES ($1, $2) ON CONFLICT DO NOTHING`;
    const act = (body: Buffer): Promise<unknown> =>
      pool.query({ name: "insert", text, values: [idOf(body), body] });
    return {
      listener: application(act),
      shape: "audata",
      counts: async () => ({ kept: await countIn(pool, events), handled: undefined }),
      async close() {
        await pool.query(`DROP SCHEMA IF EXISTS ${schema} CASCADE`);
        await pool.end();
      },
    };
  },
};
