/** Whether workers keep up: the event that a worker should have had for longest. */

import type { ListAnswer, ListQuery } from "../contracts/store.ts";
import type { EventRecord } from "../model/event.ts";

/** Of more events than these nobody looks behind. */
const pagesMax = 10;

/**
 * The event that has been due for longest; undefined where none is due. Those that wait for their next attempt, for others of
 * their lane or for an API are not due. Looks at the thousand that came first.
 */
export async function longestDue(inbox: {
  list(query: ListQuery): Promise<ListAnswer>;
}): Promise<EventRecord | undefined> {
  const now = Date.now();
  let longest: EventRecord | undefined;
  let cursor: string | undefined;
  for (let page = 0; page < pagesMax; page++) {
    const found = await inbox.list({ state: "pending", order: "oldest", limit: 100, cursor });
    for (const event of found.events) {
      if (event.dueAt <= now && event.dueAt < (longest?.dueAt ?? Infinity)) longest = event;
    }
    ({ cursor } = found);
    if (cursor === undefined) break;
  }
  return longest;
}
