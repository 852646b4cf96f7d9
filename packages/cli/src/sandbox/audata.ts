/** Audata: a webhook for each event, by GET or POST, to https alone; nothing is signed. */

import { html, type Html } from "@webhook-inbox/dashboard/site";
import { audataExample } from "@webhook-inbox/testing/senders";
import type { AudataFields } from "@webhook-inbox/testing/simulate";
import { fieldsOf, oneOf } from "./fields.ts";
import { nestings, tunnelled } from "./sandbox.ts";
import { formFor, type ProviderPage, type Visiting } from "./page.ts";

const actions = ["created", "updated", "deleted"] as const;
const { sender } = JSON.parse(audataExample) as { readonly sender: AudataFields };

export const audataPage: ProviderPage = {
  path: "/audata",
  label: "Audata",
  sent: "audata",
  body,
  forms: {
    webhook: (sandbox, form) => {
      const action = oneOf(actions, form.get("action"));
      const record = recordOf(form);
      const endpoint = form.get("endpoint")?.trim() ?? "";
      const method = oneOf(["POST", "GET"] as const, form.get("method"));
      sandbox.newWebhook({ event: `${record}.${action}`, endpoint, method });
    },
    change: async (sandbox, form) => {
      const fields = fieldsOf(form.get("sender"));
      const { id } = fields;
      if (typeof id !== "number") throw new Error("The record needs an id, a number.");
      const action = oneOf(actions, form.get("action"));
      const nesting = oneOf(nestings, form.get("nesting"));
      const sent = await sandbox.change(nesting, recordOf(form), action, { ...fields, id });
      if (sent.length === 0)
        throw new Error("No webhook is set for this event, so nothing was sent.");
    },
  },
};

function recordOf(form: URLSearchParams): string {
  const record = form.get("record")?.trim() ?? "";
  if (!/^\w+$/.test(record)) throw new Error("A record is a word, such as Listener.");
  return record;
}

const event = html`<label>Record <input name="record" value="Listener" /></label>
  <label
    >Action
    <select name="action">
      ${actions.map((one) => html`<option ${one === "updated" && html`selected`}>${one}</option>`)}
    </select></label
  >`;

function body(call: Visiting): Html {
  const { sandbox } = call;
  const method = html`<label
    >Method
    <select name="method">
      <option>POST</option>
      <option>GET</option>
    </select></label
  >`;
  return html`<p>
      It calls https alone: <code>${tunnelled}</code> leads to <code>${sandbox.tunnel}</code> here
      (<code>--tunnel</code>).
    </p>
    <h2>New webhook</h2>
    ${formFor(
      call,
      "audata/webhook",
      html`${event}
        <label
          >Endpoint
          <input
            name="endpoint"
            type="url"
            required
            placeholder="${tunnelled}/webhooks/audata/&lt;token&gt;"
        /></label>
        ${method} <button>Save webhook</button>`,
    )}
    <ul>
      ${sandbox.audataWebhooks.map((one) => html`<li><code>${one.event}: ${one.method} ${one.endpoint}</code></li>`)}
    </ul>
    <h2>Something changes</h2>
    ${formFor(
      call,
      "audata/change",
      html`${event}
        <label
          >How a GET writes nested data
          <select name="nesting">
            ${nestings.map((one) => html`<option>${one}</option>`)}
          </select></label
        >
        <label
          >The record, as JSON
          <textarea name="sender" rows="6" cols="60">
${JSON.stringify(sender, undefined, 1)}</textarea>
        </label>
        <button>Change it</button>`,
    )}`;
}
