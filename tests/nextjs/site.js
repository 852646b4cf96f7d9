/** What the suite serves: set by the test that this server runs in. */

export const inbox = (request) => globalThis.webhookInboxSite.inbox(request);
export const pages = (request) => globalThis.webhookInboxSite.pages(request);
