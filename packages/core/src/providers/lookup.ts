/** Sources of one provider that are looked up by name: for customers by the thousand. */

import type { CredentialKind, Credentials } from "../contracts/credentials.ts";
import type { EventMap } from "../contracts/schema.ts";
import type { Source } from "../contracts/source.ts";
import type { SharedOptions, SourceFactory, SourceOptions } from "./define-provider.ts";

/**
 * A source with accounts, each with its own credentials: `<path>/<source>/<account>[/<token>]`. `find` says what an
 * account's credentials are, undefined or null for one that does not exist (404). It is asked again after a minute, and while
 * it fails the last answer holds for a day; for an account that was never found deliveries are answered 503 then. The name is
 * given as it stands in the URL: another spelling is another account, so find by exactly it. Equal ids of two
 * accounts are two events; `event.account` names theirs. What is said in `options` holds for all accounts: events, retry,
 * dedup and limits.
 *
 * @example
 * sources: {
 *   shopify: lookup(shopify, async (account) => {
 *     const shop = await shops.find(account);
 *     return shop && { secret: shop.secret };
 *   }),
 * }
 */
export function lookup<
  Events extends EventMap,
  Auth extends CredentialKind,
  More extends object,
  Own extends EventMap = {},
>(
  provider: SourceFactory<Events, Auth, More>,
  find: Find<Pick<Credentials, Auth> & More>,
  options?: SharedOptions<Own, Events>,
): Source<Omit<Events, keyof NoInfer<Own>> & NoInfer<Own>> {
  const given = (options ?? {}) as SourceOptions<Auth, Own, Events> & More;
  return {
    ...provider<Own>(given),
    find: async (account) => {
      const found = await find(account);
      return typeof found === "object" && found !== null
        ? provider<Own>({ ...given, ...found })
        : undefined;
    },
  };
}

/** The credentials of an account; undefined when there is no such account. */
type Find<Options> = (
  account: string,
) => Options | undefined | null | Promise<Options | undefined | null>;
