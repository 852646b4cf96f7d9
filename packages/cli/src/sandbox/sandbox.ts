/** Three simulated providers, and what was done with them. */

import type {
  AudataLog,
  Call,
  SimulatedAudata,
  SimulatedCaptainData,
  SimulatedSocialData,
} from "@webhook-inbox/testing/simulate";
import { simulate } from "@webhook-inbox/testing/simulate";

export const tunnelled = "https://hooks.example.com";

export const nestings = ["brackets", "dots", "json"] as const;
type Nesting = (typeof nestings)[number];

/** What a provider has sent, and what it was answered. */
export interface Sent {
  readonly at: number;
  readonly what: string;
  readonly call: Call;
}

export interface SocialDataJob {
  readonly id: number;
  status: "pending" | "success" | "error";
}

export interface CaptainDataJob {
  readonly uid: string;
  status: "running" | "succeeded" | "failed";
}

type NewAudataWebhook = Parameters<SimulatedAudata["newWebhook"]>[0];
type NewCaptainDataWebhook = Parameters<SimulatedCaptainData["addWebhook"]>[0];

export class Sandbox {
  readonly tunnel: string;
  readonly socialData: SimulatedSocialData;
  readonly captainData: SimulatedCaptainData;
  readonly #stations: Readonly<Record<Nesting, SimulatedAudata>>;
  webhookUrl = "";
  readonly jobs: SocialDataJob[] = [];
  readonly runs: CaptainDataJob[] = [];
  readonly audataWebhooks: NewAudataWebhook[] = [];
  readonly captainDataWebhooks: NewCaptainDataWebhook[] = [];
  /** Newest first. */
  readonly sent = { socialdata: [] as Sent[], audata: [] as Sent[], "captain-data": [] as Sent[] };

  private constructor(
    tunnel: string,
    socialData: SimulatedSocialData,
    captainData: SimulatedCaptainData,
    stations: Readonly<Record<Nesting, SimulatedAudata>>,
  ) {
    this.tunnel = tunnel;
    this.socialData = socialData;
    this.captainData = captainData;
    this.#stations = stations;
  }

  static async start(tunnel: string): Promise<Sandbox> {
    const calling = { tunnel: (url: string) => url.replace(tunnelled, tunnel) };
    const station = (nesting: Nesting): SimulatedAudata => simulate.audata({ nesting, ...calling });
    return new Sandbox(
      tunnel,
      // Jobs of their own: with ids that were there before, they would be duplicates.
      await simulate.socialData({ ...calling, firstJobId: Math.floor(Date.now() / 1000) }),
      await simulate.captainData(calling),
      { brackets: station("brackets"), dots: station("dots"), json: station("json") },
    );
  }

  async close(): Promise<void> {
    await Promise.all([this.socialData.close(), this.captainData.close()]);
  }

  saveSettings(webhookUrl: string): void {
    this.webhookUrl = webhookUrl;
    this.socialData.saveSettings({ webhookUrl: webhookUrl === "" ? null : webhookUrl });
  }

  startJob(): void {
    this.jobs.unshift({ id: this.socialData.startJob(), status: "pending" });
  }

  async finishJob(id: number, status: "success" | "error"): Promise<void> {
    const call = await this.socialData.finishJob(id, { status });
    const job = this.jobs.find((one) => one.id === id);
    if (job !== undefined) job.status = status;
    this.#note("socialdata", `job ${id}: ${status}`, call);
  }

  async monitorSaw(event: Parameters<SimulatedSocialData["monitorSaw"]>[0]): Promise<void> {
    this.#note("socialdata", event.event, await this.socialData.monitorSaw(event));
  }

  /** Throws for an endpoint without https. */
  newWebhook(webhook: NewAudataWebhook): void {
    for (const nesting of nestings) this.#stations[nesting].newWebhook(webhook);
    this.audataWebhooks.push(webhook);
  }

  async change(
    nesting: Nesting,
    ...change: Parameters<SimulatedAudata["change"]>
  ): Promise<readonly AudataLog[]> {
    const lines = await this.#stations[nesting].change(...change);
    for (const line of lines) this.#note("audata", `${line.event} ${line.webhookCallId}`, line);
    return lines;
  }

  addWebhook(webhook: NewCaptainDataWebhook): void {
    this.captainData.addWebhook(webhook);
    this.captainDataWebhooks.push(webhook);
  }

  async startRun(): Promise<void> {
    await this.#noting(async () => {
      this.runs.unshift({ uid: await this.captainData.startJob(), status: "running" });
    });
  }

  /** `failed` of two inputs fail: one of them is a success still. */
  async finishRun(uid: string, failed: 0 | 1 | 2): Promise<void> {
    const inputs = [0, 1].map((index) => ({
      input: { index },
      ...(index < failed ? { error: "Profile not found" } : {}),
    }));
    await this.#noting(() => this.captainData.finishJob(uid, inputs));
    const run = this.runs.find((one) => one.uid === uid);
    if (run !== undefined) run.status = failed === 2 ? "failed" : "succeeded";
  }

  async retryWebhook(uid: string): Promise<void> {
    await this.#noting(() => this.captainData.retryWebhook(uid));
  }

  /** Notes the calls that Captain Data makes meanwhile. */
  async #noting(act: () => Promise<unknown>): Promise<void> {
    const before = this.captainData.calls.length;
    await act();
    for (const call of this.captainData.calls.slice(before)) {
      this.#note("captain-data", `${call.event} ${call.jobUid}`, call);
    }
  }

  #note(provider: keyof Sandbox["sent"], what: string, call: Call | undefined): void {
    if (call === undefined) return;
    this.sent[provider].unshift({ at: Date.now(), what, call });
    this.sent[provider].splice(sentMax);
  }
}

const sentMax = 100;
