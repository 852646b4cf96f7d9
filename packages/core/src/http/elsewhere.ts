/** The answer to a path that is not the inbox's, where there is nobody else to ask. */

import type { Answer } from "../contracts/door.ts";

export const elsewhere: Answer = {
  status: 404,
  headers: {
    "content-type": "text/plain",
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    connection: "close",
  },
  body: "not found",
};
