/** `@OnWebhook`: marks methods as handlers. What it marks is kept beside the class, whatever other decorators wrap. */

import { WebhookInboxError, type HandlerOptions } from "@webhook-inbox/core";
import { defaultName } from "./inject-inbox.decorator.ts";
import type { Handling, InboxName, SourceName, TypeName } from "./register.ts";

/** Options of the handler, and the inbox that it belongs to. */
export interface OnWebhookOptions<Name extends string = string> extends HandlerOptions {
  /** Which inbox, where there are several. Default: the one without a name. */
  readonly inbox?: Name;
}

/** A method's mark. */
export interface Mark {
  readonly inbox: string;
  readonly source: string;
  readonly type: string;
  readonly options: HandlerOptions;
}

/** Marks by the prototype that has the method, and the method's name. */
const marks = new WeakMap<object, Map<string | symbol, readonly Mark[]>>();

/**
 * Handles events of one type of a source, or of all its types (`"*"`), with a method of any provider or controller. May be
 * given several times. A provider scoped to requests gets an instance for each attempt.
 *
 * @example
 * \@OnWebhook("audata", "Listener.updated")
 * async update({ data }: EventOf<typeof sources, "audata", "Listener.updated">) {}
 */
export function OnWebhook<
  Source extends SourceName<Name>,
  Type extends TypeName<Name, Source>,
  Name extends InboxName = typeof defaultName,
>(
  source: Source,
  type: Type,
  { inbox, ...options }: OnWebhookOptions<Name> = {},
): <Method extends Handling<Name, Source, Type>>(
  target: object,
  method: string | symbol,
  descriptor: TypedPropertyDescriptor<Method>,
) => void {
  return (target, method, descriptor) => {
    refuseWhatIsNoMethod(target, method, descriptor);
    const ofTarget = marks.get(target) ?? new Map<string | symbol, readonly Mark[]>();
    const mark = { inbox: inbox ?? defaultName, source, type, options };
    marks.set(target, ofTarget.set(method, [...(ofTarget.get(method) ?? []), mark]));
  };
}

/** Such marks would be found by nobody, and events would end unhandled. */
function refuseWhatIsNoMethod(
  target: object,
  method: string | symbol,
  descriptor: PropertyDescriptor | undefined,
): void {
  const isMethod = descriptor === undefined || typeof descriptor.value === "function";
  if (typeof target !== "function" && typeof method === "string" && isMethod) return;
  throw new WebhookInboxError(
    "HANDLER_INVALID",
    `@OnWebhook on ${String(method)}: it marks methods of instances that have a name, and no static ones, accessors or ` +
      "symbols.",
  );
}

/** The marks of a method, as the class that has it last was written. */
export function marksOf(prototype: object, method: string): readonly Mark[] {
  for (let owner: object | null = prototype; owner !== null; owner = Object.getPrototypeOf(owner)) {
    if (Object.hasOwn(owner, method)) return marks.get(owner)?.get(method) ?? [];
  }
  return [];
}
