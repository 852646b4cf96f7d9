/** SocialData: one URL in the settings, jobs that end once, and monitors. */

import { html, type Html } from "@webhook-inbox/dashboard/site";
import type { Sandbox } from "./sandbox.ts";
import { buttonsFor, formFor, type ProviderPage, type Visiting } from "./page.ts";
import { fieldsOf, oneOf } from "./fields.ts";

const monitorEvents = ["new_tweet", "new_following", "profile_update"] as const;

export const socialDataPage: ProviderPage = {
  path: "/",
  label: "SocialData",
  sent: "socialdata",
  body,
  forms: {
    settings: (sandbox, form) => sandbox.saveSettings(form.get("url")?.trim() ?? ""),
    secret: (sandbox, form) => {
      const secret = form.get("secret") ?? "";
      sandbox.socialData.setSecret(secret === "" ? null : secret);
    },
    start: (sandbox) => sandbox.startJob(),
    finish: async (sandbox, form) => {
      const status = oneOf(["success", "error"] as const, form.get("status"));
      await sandbox.finishJob(Number(form.get("job")), status);
    },
    monitor: async (sandbox, form) => {
      const event = oneOf(monitorEvents, form.get("event"));
      const data = fieldsOf(form.get("data"));
      await sandbox.monitorSaw({ event, data, meta: { monitor_id: "sandbox" } });
    },
  },
};

function body(call: Visiting): Html {
  const { sandbox } = call;
  return html`<p>
      It sends each webhook once, and never again. Its status API is at
      <code>${sandbox.socialData.url}/jobs/&lt;id&gt;</code>, with
      <code>Authorization: Bearer test-key</code>.
    </p>
    <h2>Settings</h2>
    ${formFor(
      call,
      "socialdata/settings",
      html`<label
          >Webhook URL
          <input
            name="url"
            type="url"
            value="${sandbox.webhookUrl}"
            placeholder="${sandbox.tunnel}/webhooks/socialdata/&lt;token&gt;"
        /></label>
        <button>Save</button>`,
    )}
    ${formFor(
      call,
      "socialdata/secret",
      html`<label>Webhook secret, of monitors <input name="secret" autocomplete="off" /></label>
        <button>Set</button>`,
    )}
    <h2>Jobs</h2>
    ${buttonsFor(call, "socialdata/start", html`<button>Start a job</button>`)}
    ${jobs(call, sandbox)}
    <h2>Monitors</h2>
    ${formFor(
      call,
      "socialdata/monitor",
      html`<label
          >Event
          <select name="event">
            ${monitorEvents.map((one) => html`<option>${one}</option>`)}
          </select></label
        >
        <label
          >Data, as JSON <input name="data" value='{"id_str":"1","full_text":"hello"}'
        /></label>
        <button>Send</button>`,
    )}`;
}

function jobs(call: Visiting, { jobs: list }: Sandbox): Html {
  return html`<ul>
    ${list.map(
      ({ id, status }) =>
        html`<li>
          Job ${id}: ${status}
          ${
            status === "pending" &&
            buttonsFor(
              call,
              "socialdata/finish",
              html`<input type="hidden" name="job" value="${id}" /><button
                  name="status"
                  value="success"
                >
                  Finish job ${id}
                </button>
                <button name="status" value="error">Fail job ${id}</button>`,
            )
          }
        </li>`,
    )}
  </ul>`;
}
