/**
 * The first three providers, simulated: their settings, their calls and their APIs, as their documents describe them, so
 * that handlers are tested without them.
 *
 * @module @webhook-inbox/testing/simulate
 */

export type { AudataFields, AudataLog, AudataOptions, SimulatedAudata } from "./audata.ts";
export type {
  CaptainDataCall,
  CaptainDataEvent,
  CaptainDataOptions,
  SimulatedCaptainData,
  SimulatedInput,
} from "./captain-data.ts";
export type { Call, Calling, Tunnel } from "./loopback.ts";
export type {
  JobEnd,
  MonitorEvent,
  SimulatedJob,
  SimulatedSocialData,
  SocialDataOptions,
} from "./socialdata.ts";

/**
 * Each starts a provider of its own.
 *
 * @example
 * const provider = await simulate.socialData();
 * provider.saveSettings({ webhookUrl: "http://localhost:3000/webhooks/socialdata/<token>" });
 * await provider.finishJob(provider.startJob(), { status: "success" });
 */
export * as simulate from "./simulators.ts";
