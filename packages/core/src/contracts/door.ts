/** What passes between an adapter and the inbox: a head and a way to read the body go in, an answer comes out. */

import type { DeliveryHead } from "../model/delivery.ts";

/** What became of reading a body. */
export type BodyRead =
  | {
      readonly kind: "read";
      readonly bytes: Uint8Array;
      /** True when the exact bytes are gone and these were rebuilt from what a parser left. */
      readonly reconstructed: boolean;
    }
  /** Longer than allowed. */
  | { readonly kind: "too_large" }
  /** All deliveries in flight hold as many bytes as they may. */
  | { readonly kind: "no_room" }
  /** Did not arrive in time. */
  | { readonly kind: "too_slow" }
  /** The sender went away, or sent less than it announced. */
  | { readonly kind: "aborted" }
  /** A parser consumed it and kept nothing. */
  | { readonly kind: "consumed" };

/** A body that is read when it is asked for. */
export interface BodySource {
  /**
   * Reads the whole body as it is on the wire, at most `bytesMax`. Asks `reserve` before it holds more bytes, with all
   * that it would hold then, and gives up as `no_room` when the answer is false. Never rejects. Called once at most.
   */
  read(bytesMax: number, reserve: (bytes: number) => boolean): Promise<BodyRead>;
}

/** What a sender is answered. */
export interface Answer {
  readonly status: number;
  /** Complete, but for `content-length` and `date`. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** The side of an inbox that adapters use. */
export interface Door {
  /** Where it begins below the mount point, such as `/webhooks`; empty for the mount point itself. */
  readonly path: string;
  /** Announces that deliveries may come: the inbox starts on the next turn of the event loop. */
  mount(): void;
  /** The answer to a request; undefined when its path is not the inbox's. Never rejects. */
  receive(head: DeliveryHead, body: BodySource): Promise<Answer> | undefined;
}
