import { Injectable } from "@nestjs/common";
import type { EventOf } from "@webhook-inbox/core";
import { OnWebhook } from "@webhook-inbox/nestjs";
import type { Sources } from "./webhooks.js";

@Injectable()
export class AppService {
  getHello(): string {
    return "every other route is yours";
  }

  @OnWebhook("socialdata", "job_finished")
  finish({ data: job }: EventOf<Sources, "socialdata", "job_finished">): void {
    console.log(`handled job ${job.job_id}: ${job.status}`);
  }

  @OnWebhook("audata", "Listener.updated")
  update({ data }: EventOf<Sources, "audata", "Listener.updated">): void {
    console.log(`handled listener ${data.sender_id}`);
  }

  @OnWebhook("captain-data", "job.succeeded")
  succeed({ data }: EventOf<Sources, "captain-data", "job.succeeded">): void {
    console.log(`handled run ${data.job_uid}`);
  }
}
