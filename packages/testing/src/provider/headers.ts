/** The headers of a delivery that its signature has to do with, as the provider declares them. */

import type { OutgoingDelivery } from "../senders/delivery.ts";
import type { ProviderSuiteOptions } from "./suite.ts";

/** Those that carry the signature, by the names that the signer wrote them with; none where it stands in the body. */
export function signatureHeaders(
  { source, secrets }: ProviderSuiteOptions,
  { headers }: OutgoingDelivery,
): readonly string[] {
  const declared = source(secrets, "id").provider.signature?.headers ?? [];
  return namesIn(headers, declared);
}

/** Those that the signature covers or reads. */
export function readHeaders(
  { source, secrets }: ProviderSuiteOptions,
  { headers }: OutgoingDelivery,
): readonly string[] {
  return namesIn(headers, source(secrets, "id").provider.signature?.reads ?? []);
}

function namesIn(
  headers: OutgoingDelivery["headers"],
  names: readonly string[],
): readonly string[] {
  return Object.keys(headers).filter((name) => names.includes(name.toLowerCase()));
}

/** The body's JSON with one text or number changed, for each of them. */
export function alteredBodies(body: string): readonly string[] {
  let json: unknown;
  try {
    json = JSON.parse(body);
  } catch {
    return [];
  }
  const leaves = pathsOf(json, []);
  return leaves.map((path) => JSON.stringify(altered(json, path)));
}

function pathsOf(value: unknown, path: readonly string[]): readonly (readonly string[])[] {
  if (typeof value === "string" || typeof value === "number") return [path];
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([name, one]) => pathsOf(one, [...path, name]));
}

function altered(value: unknown, [name, ...rest]: readonly string[]): unknown {
  if (name === undefined) {
    if (typeof value === "number") return value + 1;
    const text = String(value);
    const first = text.startsWith("a") ? "b" : "a";
    return first + text.slice(1);
  }
  if (Array.isArray(value)) {
    return value.map((one: unknown, index) => (String(index) === name ? altered(one, rest) : one));
  }
  const record = value as Readonly<Record<string, unknown>>;
  return { ...record, [name]: altered(record[name], rest) };
}
