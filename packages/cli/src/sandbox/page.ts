/** What the pages of the sandbox share. */

import { html, type Html, type Part, type Visit } from "@webhook-inbox/dashboard/site";
import type { Sandbox } from "./sandbox.ts";

export interface Visiting extends Visit {
  readonly sandbox: Sandbox;
}

/** A page of a provider, and what its forms do. */
export interface ProviderPage {
  readonly path: string;
  readonly label: string;
  readonly sent: keyof Sandbox["sent"];
  readonly body: (call: Visiting) => Html;
  /** By the name of the form. Throws for what the provider would not take. */
  readonly forms: Readonly<Record<string, (sandbox: Sandbox, form: URLSearchParams) => unknown>>;
}

/** A form of a page. `action` is the path of one of its `forms`. */
export function formFor(call: Visiting, action: string, fields: Part): Html {
  return formOf(call, action, "filter", fields);
}

/** The same, with nothing but buttons. */
export function buttonsFor(call: Visiting, action: string, buttons: Part): Html {
  return formOf(call, action, "acts", buttons);
}

function formOf({ base, token }: Visiting, action: string, look: string, fields: Part): Html {
  return html`<form class="${look}" method="post" action="${base}/${action}">
    <input type="hidden" name="csrf" value="${token.value}" />
    ${fields}
  </form>`;
}
