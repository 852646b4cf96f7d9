/** A delivery as it came, for those who may see payloads. Each look is signalled. */

import type { Delivery } from "@webhook-inbox/core";
import type { Call } from "../call.ts";
import { Refusal } from "../site/visit.ts";
import { html } from "../site/html.ts";
import { pageOf } from "../site/layout.ts";
import { countText } from "../words.ts";
import { clipped, headersOf, noEvent } from "./event.ts";

async function revealed(call: Call, reason: string): Promise<Delivery> {
  const kept = await call.inbox.reveal(call.params["key"] ?? "", { by: call.access.by, reason });
  if (kept === undefined) throw noEvent();
  if (kept.delivery === undefined) throw new Refusal(404, "The delivery was forgotten or erased.");
  return kept.delivery;
}

const shownBytesMax = 65_536;

export async function deliveryPage(call: Call): Promise<Response> {
  const { method, target, headers, body } = await revealed(call, "dashboard: shown");
  const pairs = headers.flatMap((name, index) =>
    index % 2 === 0 ? [[name, headers[index + 1] ?? ""] as const] : [],
  );
  const text = new TextDecoder().decode(body.subarray(0, shownBytesMax));
  const key = call.params["key"] ?? "";
  return pageOf(call, {
    heading: "Delivery, as it came",
    place: "/events",
    body: html` <p><a href="${call.base}/events/${key}">Back to the event</a></p>
      <p><code>${method} ${target}</code></p>
      <h2>Body</h2>
      <p>
        ${countText(body.length, "byte", "bytes")}${body.length > shownBytesMax && `, of which the first ${shownBytesMax} are here`}.
        <a href="${call.base}/events/${key}/body">Download the body</a>
      </p>
      ${clipped(text)}
      <h2>Headers</h2>
      <p>Credentials are not kept: they stand as ***.</p>
      ${headersOf(pairs)}`,
  });
}

/** The exact bytes, never as something that a browser would show or run. */
export async function bodyDownload(call: Call): Promise<Response> {
  const { body: bytes } = await revealed(call, "dashboard: downloaded");
  return new Response(new Uint8Array(bytes), {
    headers: {
      "content-type": "application/octet-stream",
      "content-disposition": `attachment; filename="${call.params["key"] ?? ""}.bin"`,
      "content-security-policy": "default-src 'none'; sandbox",
    },
  });
}
