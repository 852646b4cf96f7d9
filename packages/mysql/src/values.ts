/** Values as drivers give them. */

/** What drivers give for a whole number differs: a number, a text. */
export const numberOf = (value: unknown): number => Number(value);

/** All text is kept as its bytes, so that equal means equal. */
export const textOf = (value: unknown): string =>
  typeof value === "string" ? value : Buffer.from(value as Uint8Array).toString("utf8");

export const optional = <T>(value: unknown, read: (value: unknown) => T): T | undefined =>
  value === null || value === undefined ? undefined : read(value);
