/** SocialData's sending side: one POST of JSON for each finished job, never repeated. */

import { jsonPost, type OutgoingDelivery } from "./delivery.ts";

/** The example of the page "Using Webhooks", as printed. */
export const socialDataExample = `{
    "event": "job_finished",
    "data": {
        "job_id": 42,
        "status": "success",
        "result": {
            "datafile_url": "https://s3.amazonaws.com/..."    
        }
    }
}`;

/** The failed job of the page "Getting job status", as a webhook carries it ("the same as job status response"). */
export const socialDataErrorExample = `{
    "event": "job_finished",
    "data": {
        "job_id": 42,
        "status": "error",
        "message": "Insufficient balance"
    }
}`;

/** The delivery of a job's end. `url` is the webhook URL of the account's settings; `body` an example or a job. */
export function socialDataDelivery(url: string, body: unknown): OutgoingDelivery {
  return jsonPost(url, typeof body === "string" ? body : { event: "job_finished", data: body });
}
