/** What a page could not do, in the log of the application. */

import { errorText } from "@webhook-inbox/core";

export function tell(error: unknown): void {
  console.error(`[webhook-inbox] dashboard: ${errorText(error)}`);
}
