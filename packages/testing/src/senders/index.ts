/**
 * The sending side of the providers: their documented examples, and deliveries as they put them on the wire.
 *
 * @module @webhook-inbox/testing/senders
 */

export {
  audataExample,
  audataExampleAsPrinted,
  audataGet,
  audataPost,
  audataQueries,
  type AudataEncoding,
} from "./audata.ts";
export { captainDataDelivery, captainDataExamples } from "./captain-data.ts";
export { jsonPost, send, type OutgoingDelivery, type SeenAnswer } from "./delivery.ts";
export { socialDataDelivery, socialDataErrorExample, socialDataExample } from "./socialdata.ts";
