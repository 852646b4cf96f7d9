/** Which events of a source wait for one another, among its options. */

import type { LaneOptions, LaneRule } from "../contracts/lanes.ts";
import { refuseUnknown } from "../errors.ts";
import { functionOf, invalid, oneOf, wholeNumber } from "./checks.ts";

interface Given extends Pick<LaneOptions, "onDeadHead"> {
  readonly orderBy?: LaneRule["keyOf"];
  readonly lanes?: { readonly max: number; readonly by?: LaneRule["keyOf"] };
}

/** Throws `WebhookInboxError` of code `OPTION_INVALID` for what is wrong. */
export function laneRuleOf(
  where: string,
  options: Readonly<Record<string, unknown>>,
): LaneRule | undefined {
  const { orderBy, onDeadHead, lanes } = options as Given;
  if (orderBy !== undefined && lanes !== undefined) {
    throw invalid(`${where}: has orderBy and lanes. Leave one of them out.`);
  }
  if (onDeadHead !== undefined && orderBy === undefined) {
    throw invalid(`${where}: onDeadHead is for a source with orderBy.`);
  }
  if (orderBy !== undefined) {
    functionOf(`${where}: orderBy`, orderBy);
    const ends = oneOf(`${where}: onDeadHead`, onDeadHead, ["skip", "block"]);
    return { isOrdered: true, max: 1, blocks: ends === "block", keyOf: orderBy };
  }
  if (lanes === undefined) return undefined;
  refuseUnknown("OPTION_INVALID", `${where}: lanes`, lanes, ["max", "by"]);
  const max = wholeNumber(`${where}: lanes.max`, lanes.max, 1);
  const by = functionOf(`${where}: lanes.by`, lanes.by) ?? (() => "");
  return { isOrdered: false, max, blocks: false, keyOf: by };
}
