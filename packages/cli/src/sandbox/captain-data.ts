/** Captain Data: a webhook for each of three events, with headers of one's own; jobs, and a retry by hand. */

import { html, type Html } from "@webhook-inbox/dashboard/site";
import { headersOf, oneOf } from "./fields.ts";
import { buttonsFor, formFor, type ProviderPage, type Visiting } from "./page.ts";

const events = ["created", "succeeded", "failed"] as const;
/** How many of two inputs fail. */
const ends = { "All inputs succeed": 0, "One of two fails": 1, "All inputs fail": 2 } as const;

export const captainDataPage: ProviderPage = {
  path: "/captain-data",
  label: "Captain Data",
  sent: "captain-data",
  body,
  forms: {
    webhook: (sandbox, form) => {
      const event = oneOf(events, form.get("event"));
      const url = form.get("url")?.trim() ?? "";
      if (!URL.canParse(url)) throw new Error("The webhook needs a URL.");
      sandbox.addWebhook({ event, url, headers: headersOf(form.get("headers")) });
    },
    start: (sandbox) => sandbox.startRun(),
    finish: async (sandbox, form) => {
      const end = oneOf(Object.keys(ends) as (keyof typeof ends)[], form.get("end"));
      await sandbox.finishRun(form.get("job") ?? "", ends[end]);
    },
    retry: (sandbox, form) => sandbox.retryWebhook(form.get("job") ?? ""),
  },
};

function body(call: Visiting): Html {
  const { sandbox } = call;
  const { url } = sandbox.captainData;
  return html`<p>
      Its API is at <code>${url}/v3</code>, with <code>Authorization: x-api-key test-key</code> and
      <code>x-project-id: test-project</code>.
    </p>
    <h2>Add webhook</h2>
    ${formFor(
      call,
      "captain-data/webhook",
      html`<label
          >Event
          <select name="event">
            ${events.map((one) => html`<option>${one}</option>`)}
          </select></label
        >
        <label
          >URL
          <input
            name="url"
            type="url"
            required
            placeholder="${sandbox.tunnel}/webhooks/captain-data/succeeded"
        /></label>
        <label
          >Custom headers, one a line
          <textarea
            name="headers"
            rows="2"
            cols="40"
            placeholder="authorization: Bearer &lt;token&gt;"
          ></textarea>
        </label>
        <button>Add webhook</button>`,
    )}
    <ul>
      ${sandbox.captainDataWebhooks.map((one) => html`<li><code>${one.event}: ${one.url}</code></li>`)}
    </ul>
    <h2>Jobs</h2>
    ${buttonsFor(call, "captain-data/start", html`<button>Start a job</button>`)}
    <ul>
      ${sandbox.runs.map(({ uid, status }) => {
        const job = html`<input type="hidden" name="job" value="${uid}" />`;
        const finish = Object.keys(ends).map(
          (end) => html`<button name="end" value="${end}">${end}</button> `,
        );
        return html`<li>
          Job <code>${uid}</code>: ${status}
          ${
            status === "running"
              ? buttonsFor(call, "captain-data/finish", html`${job} ${finish}`)
              : buttonsFor(call, "captain-data/retry", html`${job} <button>Retry webhook</button>`)
          }
        </li>`;
      })}
    </ul>`;
}
