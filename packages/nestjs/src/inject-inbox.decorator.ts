/** How an inbox is found by the injector. */

import { Inject } from "@nestjs/common";

/** The name of the inbox that was given none. */
export const defaultName = "inbox";

/** The token of an inbox: for `app.get(getInboxToken())`, and to override it in a test. */
export function getInboxToken(name: string = defaultName): string {
  return `webhook-inbox:${name}`;
}

/** Injects an inbox, to look at it and to steer it: `constructor(@InjectInbox() inbox: Inbox)`. */
export const InjectInbox = (name?: string): ParameterDecorator & PropertyDecorator =>
  Inject(getInboxToken(name));
