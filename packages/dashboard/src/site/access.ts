/** Who may use the dashboard, and for what. */

/**
 * What somebody may do beside looking at what is masked.
 *
 * - `payloads`: see deliveries without masks, and download bodies. Each look is signalled as `revealed`, and so in the log.
 * - `act`: replay, release, verify again and cancel.
 * - `erase`: destroy deliveries.
 */
export type Role = "payloads" | "act" | "erase";

/** Somebody who may look. */
export interface Access {
  /** Who it is. Kept with each event that they do something to, and in the log. */
  readonly by: string;
  /** Default: none. */
  readonly roles?: readonly Role[];
}

/**
 * Says who asks, by the request's cookies or headers; undefined for somebody who may not look, who is answered 401. An answer
 * of its own, such as a redirect to a login, is sent as it is. What it throws is answered 500.
 */
export type AccessFunction = (
  request: Request,
) => Access | Response | undefined | Promise<Access | Response | undefined>;
