/** What the senders of the torture runs say: a webhook of Audata. */

export const idOf = (body: string): string =>
  (JSON.parse(body) as { readonly webhookCallId: string }).webhookCallId;

export function bodyOf(id: string): string {
  const sender = { id: 1788495, first_name: "John", phone_number: "0412123123" };
  return JSON.stringify({
    event: "Listener.updated",
    sender_id: 1788495,
    sender,
    webhookCallId: id,
  });
}
