/** What a benchmark of answers is held against: an application that takes a delivery and answers 200. */

import { mkdtempSync, rmSync } from "node:fs";
import type { RequestListener } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import express from "express";
import { Pool } from "pg";

/** How deliveries look: with a token in their path, or with GitHub's signature. */
export type Shape = "audata" | "github";

/** What was answered 200 must be there, and must have been handled. */
export interface Counts {
  readonly kept: number;
  /** Undefined where nothing is handled. */
  readonly handled: number | undefined;
}

export interface Subject {
  readonly listener: RequestListener;
  readonly shape: Shape;
  /** Waits for all work, and counts. Undefined for a subject that keeps nothing. */
  readonly counts?: () => Promise<Counts>;
  readonly close: () => Promise<void>;
}

export interface Places {
  readonly postgresUrl: string;
  readonly redisUrl: string;
}

export type MakeSubject = (places: Places) => Promise<Subject>;

export const paths: Readonly<Record<Shape, string>> = {
  audata: "/webhooks/audata/token",
  github: "/webhooks/github",
};
export const secret = "a secret of the benchmarks";
export const ignore = async (): Promise<void> => undefined;

/** Reads the bytes of a request by hand. */
export function onBody(request: NodeJS.ReadableStream, done: (body: Buffer) => void): void {
  const chunks: Buffer[] = [];
  request.on("data", (chunk: Buffer) => chunks.push(chunk));
  request.on("end", () => done(Buffer.concat(chunks)));
}

/** An Express application that does something with each body before it answers. */
export function application(act: (body: Buffer) => unknown): RequestListener {
  const app = express();
  app.post(paths.audata, (request, response) => {
    onBody(request, (body) => {
      void Promise.resolve(act(body)).then(
        () => response.end("ok"),
        () => {
          response.statusCode = 500;
          response.end();
        },
      );
    });
  });
  return app;
}

export const idOf = (body: Buffer): string =>
  (JSON.parse(String(body)) as { webhookCallId: string }).webhookCallId;

export function directory(): { readonly file: string; readonly remove: () => Promise<void> } {
  const made = mkdtempSync(join(tmpdir(), "webhook-inbox-bench-"));
  return {
    file: join(made, "inbox.sqlite"),
    remove: async () => rmSync(made, { recursive: true, force: true }),
  };
}

export const schema = `bench_${process.pid}`;

export function poolOn({ postgresUrl }: Places): Pool {
  const pool = new Pool({ connectionString: postgresUrl, max: 20 });
  pool.on("error", () => undefined);
  pool.on("connect", (client) => client.on("error", () => undefined));
  return pool;
}

export async function countIn(pool: Pool, table: string): Promise<number> {
  const { rows } = await pool.query<{ count: number }>(
    `SELECT count(*)::integer AS count FROM ${table}`,
  );
  return rows[0]?.count ?? NaN;
}
