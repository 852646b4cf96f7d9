/** Fields of forms, read. Each throws in words for the person who filled it. */

/** An object of JSON. */
export function fieldsOf(text: string | null): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = JSON.parse(text ?? "");
  } catch {
    throw new Error("The data is not JSON.");
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new Error("The data must be an object of JSON.");
  }
  return value as Readonly<Record<string, unknown>>;
}

export function oneOf<const Value extends string>(
  values: readonly Value[],
  given: string | null,
): Value {
  const found = values.find((one) => one === given);
  if (found === undefined)
    throw new Error(`One of ${values.join(", ")}, and not ${String(given)}.`);
  return found;
}

/** Lines such as `authorization: Bearer …`. */
export function headersOf(text: string | null): Readonly<Record<string, string>> {
  const lines = (text ?? "").split(/\r?\n/).filter((line) => line.trim() !== "");
  return Object.fromEntries(
    lines.map((line) => {
      const [, name, value] = /^([\w-]+):\s*(.*)$/.exec(line.trim()) ?? [];
      if (name === undefined || value === undefined) {
        throw new Error(`A header looks like "name: value", and not ${JSON.stringify(line)}.`);
      }
      return [name, value];
    }),
  );
}
