import { Module } from "@nestjs/common";
import { WebhooksModule } from "@webhook-inbox/nestjs";
import { AppController } from "./app.controller.js";
import { AppService } from "./app.service.js";
import { options } from "./webhooks.js";

@Module({
  imports: [WebhooksModule.forRoot(options)],
  controllers: [AppController],
  providers: [AppService],
})
export class AppModule {}
