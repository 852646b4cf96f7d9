/** A request to a site, with all that a page needs to answer it. */

import type { Access, Role } from "./access.ts";
import type { FormToken } from "./origin.ts";

/** An entry of the navigation. */
export interface Place {
  /** Below the mount point. */
  readonly path: string;
  readonly label: string;
}

/** A request, with who asks. */
export interface Visit {
  readonly request: Request;
  readonly url: URL;
  /** The path of the mount point, such as `/admin`; empty at the root. */
  readonly base: string;
  /** What stands for the parameters of the route's path. */
  readonly params: Readonly<Record<string, string>>;
  /** What was sent by a form of this site; nothing where none was. */
  readonly form: URLSearchParams;
  readonly access: Access;
  /** Stands in every form, as the field `csrf`. */
  readonly token: FormToken;
  readonly title: string;
  readonly places: readonly Place[];
}

export function may({ access }: Pick<Visit, "access">, role: Role): boolean {
  return access.roles?.includes(role) === true;
}

/** An answer that is no page: the page that says so has this status and these words. */
export class Refusal extends Error {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, message: string, headers: Readonly<Record<string, string>> = {}) {
    super(message);
    this.status = status;
    this.headers = headers;
  }
}

const formBytesMax = 65_536;

/** The fields of a form that was sent. Throws 415 and 413. */
export async function formOf({ headers, body }: Request): Promise<URLSearchParams> {
  if (!/^application\/x-www-form-urlencoded\b/i.test(headers.get("content-type") ?? "")) {
    throw new Refusal(415, "A form is sent as application/x-www-form-urlencoded.");
  }
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let length = 0;
  for await (const chunk of body ?? []) {
    length += chunk.length;
    if (length > formBytesMax) throw new Refusal(413, "The form is too large.");
    chunks.push(chunk);
  }
  return new URLSearchParams(await new Blob(chunks).text());
}

/** To another page, by a request of its own. */
export function seeOther(location: string): Response {
  return new Response(null, { status: 303, headers: { location } });
}
