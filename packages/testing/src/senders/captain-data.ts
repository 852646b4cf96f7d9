/** Captain Data's sending side: a POST of JSON for one event type, with the headers set in its webhook window. */

import { jsonPost, type OutgoingDelivery } from "./delivery.ts";

const common = {
  uid: "eaab7f39f0d94f30a3f1",
  job_uid: "b9a260de8f1c4a5bb7d2",
  project_uid: "5c1de0a99b0d47e6",
  recipe_ref: "b9a260de8f1c4a5bb7d2",
};

/** The two examples of the page "Create & Manage Webhooks", with the ids that it shortens written out. */
export const captainDataExamples: Readonly<
  Record<"succeeded" | "failed", Readonly<Record<string, string | null>>>
> = {
  succeeded: {
    ...common,
    message: "Job successfully finished.",
    error: null,
    workflow_uid: "edcee5c4a1f24c5d",
    workflow_name: "Extract LinkedIn Messages",
    job_name: "Automated Run",
  },
  failed: {
    ...common,
    message: "Job failed.",
    error: "Error while completing action: cannot re-send connection request yet.",
    workflow_uid: "0f3f1f6c22f94f4e",
    workflow_name: "Connect LinkedIn Profile",
    job_name: "Campaign connect with Leads",
  },
};

/** A delivery with the custom headers of the webhook. */
export function captainDataDelivery(
  url: string,
  body: unknown,
  headers: Readonly<Record<string, string>>,
): OutgoingDelivery {
  return jsonPost(url, body, headers);
}
