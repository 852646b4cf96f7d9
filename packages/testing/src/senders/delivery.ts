/** A webhook on its way: what a provider puts on the wire, and the sending of it. */

export interface OutgoingDelivery {
  readonly method: "GET" | "POST";
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Undefined for GET. */
  readonly body: string | undefined;
}

/** What the provider sees of the answer. */
export interface SeenAnswer {
  readonly status: number;
  readonly body: string;
}

/**
 * Sends once, as providers do: no redirect is followed, and nothing is tried again. Rejects when there is no answer within
 * `timeoutMs` (default: 30,000).
 */
export async function send(
  { method, url, headers, body }: OutgoingDelivery,
  { timeoutMs = 30_000 }: { readonly timeoutMs?: number } = {},
): Promise<SeenAnswer> {
  const response = await fetch(url, {
    method,
    headers,
    redirect: "manual",
    signal: AbortSignal.timeout(timeoutMs),
    ...(body === undefined ? {} : { body }),
  });
  return { status: response.status, body: await response.text() };
}

/** A POST of JSON. A text is sent as it is. */
export function jsonPost(
  url: string,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): OutgoingDelivery {
  const hasType = Object.keys(headers).some((name) => name.toLowerCase() === "content-type");
  return {
    method: "POST",
    url,
    headers: { ...(hasType ? {} : { "content-type": "application/json" }), ...headers },
    body: typeof body === "string" ? body : JSON.stringify(body),
  };
}
