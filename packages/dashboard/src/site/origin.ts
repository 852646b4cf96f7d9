/**
 * Keeps other sites out: a page that another name leads to (DNS rebinding) is not answered, and what another site has a
 * browser send changes nothing. Keeps no state, so that any instance may answer.
 */

const loopback = ["localhost", "127.0.0.1", "[::1]"];
const cookieName = "webhook-inbox-csrf";
const tokenPattern = /^[0-9a-f]{64}$/;

/** Whether the dashboard may be reached by the name that was asked for. `hosts` are names without ports. */
export function isKnownHost(url: URL, hosts: readonly string[] = loopback): boolean {
  return hosts.includes(url.hostname);
}

/** Whether a request that changes something comes from a page of this dashboard. */
export function isFromHere(request: Request, url: URL, hosts: readonly string[] = []): boolean {
  const site = request.headers.get("sec-fetch-site");
  if (site !== null && site !== "same-origin") return false;
  const origin = request.headers.get("origin");
  if (origin === null || !URL.canParse(origin)) return false;
  // Behind a proxy, the page has another scheme and port than the request that reaches us, and maybe another name.
  const { host, hostname } = new URL(origin);
  return host === url.host || hosts.includes(hostname);
}

/** A token that stands in a cookie and in each form, and that no other site can read or set. */
export class FormToken {
  /** What forms have to send. */
  readonly value: string;
  readonly #isFresh: boolean;

  constructor(request: Request) {
    const found = cookieOf(request);
    this.#isFresh = found === undefined;
    this.value = found ?? freshToken();
  }

  /** The header that sets it, where the browser has none yet. */
  cookie(url: URL, path: string): string | undefined {
    if (!this.#isFresh) return undefined;
    const secure = url.protocol === "https:" ? "; Secure" : "";
    return `${cookieName}=${this.value}; Path=${path || "/"}; HttpOnly; SameSite=Strict${secure}`;
  }

  /** Whether a form has sent the token of its browser. */
  matches(given: string | null): boolean {
    return !this.#isFresh && given !== null && isEqual(given, this.value);
  }
}

function cookieOf(request: Request): string | undefined {
  const cookies = (request.headers.get("cookie") ?? "").split(/;\s*/);
  const found = cookies.flatMap((cookie) => {
    const [name, value = ""] = cookie.split("=", 2);
    return name === cookieName && tokenPattern.test(value) ? [value] : [];
  });
  return found[0];
}

function freshToken(): string {
  return [...crypto.getRandomValues(new Uint8Array(32))]
    .map((byte) => byte.toString(16).padStart(2, "0"))
    .join("");
}

/** In a time that does not tell where they differ. */
function isEqual(a: string, b: string): boolean {
  let difference = a.length ^ b.length;
  for (let at = 0; at < b.length; at++) difference |= a.charCodeAt(at) ^ b.charCodeAt(at);
  return difference === 0;
}
