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

/** Sends once, as providers do: no redirect is followed, and nothing is tried again. Rejects when there is no answer. */
export async function send({ method, url, headers, body }: OutgoingDelivery): Promise<SeenAnswer> {
  const response = await fetch(url, {
    method,
    headers,
    redirect: "manual",
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
  return {
    method: "POST",
    url,
    headers: { "content-type": "application/json", ...headers },
    body: typeof body === "string" ? body : JSON.stringify(body),
  };
}
