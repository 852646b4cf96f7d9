/** An act on events: first how many it is about, then why, then it begins. */

import { statesFor, type Act, type Which } from "@webhook-inbox/core";
import type { Call } from "../call.ts";
import { Refusal, seeOther } from "../site/visit.ts";
import { hiddenFields, queryOf, whichOf, whichText } from "../filter.ts";
import { html, type Html } from "../site/html.ts";
import { pageOf } from "../site/layout.ts";
import { verifiable, type RunAsk } from "../runs.ts";
import { actLabel, actMeaning, eventsText } from "../words.ts";
import { isAct, refuseUnless } from "./acts-allowed.ts";

/** Beyond so many, and for every erasure, somebody types what it is about. */
const agreedAbove = 100;
/** How long events are counted for a page. */
const countedMsMax = 2000;
const reasonCharactersMax = 500;

/** What an act is about. `isMore` when there are more than were counted in time. */
interface Expected {
  readonly count: number;
  readonly isMore: boolean;
  readonly remark?: string;
}

/** Counts, and asks. Changes nothing. */
export async function askPage(call: Call): Promise<Response> {
  const { act, which } = askedBy(call, call.url.searchParams);
  return formPage(call, act, which, await expectedOf(call, act, which));
}

/** Begins, and leads to its page. */
export async function begin(call: Call): Promise<Response> {
  const { form } = call;
  const { act, which } = askedBy(call, form);
  const count = Number(form.get("count") ?? NaN);
  const expected: Expected = { count, isMore: form.get("more") === "yes" };
  if (!Number.isInteger(count) || count < 0) throw new Refusal(400, "The form lacks the count.");
  const phrase = phraseOf(act, expected);
  if (phrase !== undefined && form.get("phrase")?.trim() !== phrase) {
    return formPage(
      call,
      act,
      which,
      await expectedOf(call, act, which),
      `Type ${phrase} to go on. Nothing was changed.`,
    );
  }
  const reason = (form.get("why") ?? "").slice(0, reasonCharactersMax);
  const run: RunAsk = {
    act,
    which,
    by: call.access.by,
    reason,
    expected: expected.isMore ? undefined : count,
    ...(act === "replay" ? replayOptions(form) : {}),
  };
  return seeOther(`${call.base}/acts/${call.runs.start(run).id}`);
}

function replayOptions(form: URLSearchParams): Pick<RunAsk, "perSecond" | "rerun"> {
  const given = form.get("perSecond") ?? "";
  const perSecond = Number(given);
  if (given !== "" && !(perSecond > 0 && perSecond <= 1e6)) {
    throw new Refusal(400, "A rate is a number of events a second, such as 50.");
  }
  return {
    ...(given === "" ? {} : { perSecond }),
    ...(form.get("rerun") === "yes" ? { rerun: true } : {}),
  };
}

function askedBy(call: Call, given: URLSearchParams): { readonly act: Act; readonly which: Which } {
  const act = given.get("act") ?? "";
  if (!isAct(act)) throw new Refusal(400, "There is no such act.");
  refuseUnless(call, act);
  const which = whichOf(given);
  const isFilter = typeof which === "object" && "state" in which;
  if (isFilter && !statesFor[act].includes(which.state)) {
    throw new Refusal(
      400,
      `${actLabel[act]} applies to events that are ${statesFor[act].join(", ")}.`,
    );
  }
  return { act, which };
}

async function expectedOf({ inbox }: Call, act: Act, which: Which): Promise<Expected> {
  if (act === "verify") {
    const { count, refused } = await inbox.verifyAgain({ ...verifiable(which), dryRun: true });
    const still = Object.entries(refused).map(([code, number]) => `${number} ${code}`);
    const remark = still.length === 0 ? {} : { remark: `Still refused: ${still.join(", ")}.` };
    return { count, isMore: false, ...remark };
  }
  const signal = AbortSignal.timeout(countedMsMax);
  const { count, isStopped = false } = await inbox[act](which, { dryRun: true, signal });
  return { count, isMore: isStopped };
}

/** What somebody has to type; undefined where a click is enough. */
function phraseOf(act: Act, { count, isMore }: Expected): string | undefined {
  if (isMore) return `${act} all`;
  return count > agreedAbove || act === "erase" ? String(count) : undefined;
}

function formPage(
  call: Call,
  act: Act,
  which: Which,
  expected: Expected,
  alert?: string,
): Response {
  const { count, isMore, remark } = expected;
  const amount = isMore ? `more than ${eventsText(count)}` : eventsText(count);
  const label = actLabel[act];
  return pageOf(call, {
    heading: `${label} ${amount}`,
    place: "/acts",
    status: alert === undefined ? 200 : 422,
    body: html` ${alert !== undefined && html`<p role="alert">${alert}</p>`}
      <p>${label}: ${whichText(which)}. ${actMeaning[act]}</p>
      ${remark !== undefined && html`<p>${remark}</p>`}
      ${
        count === 0
          ? html`<p>There is nothing to do: no event fits, or they are in other states.</p>
              <p><a href="${call.base}/events">To the events</a></p>`
          : formOfAct(call, act, which, expected)
      }`,
  });
}

function formOfAct(call: Call, act: Act, which: Which, expected: Expected): Html {
  const phrase = phraseOf(act, expected);
  return html`<form class="act" method="post" action="${call.base}/act">
    ${hiddenFields(queryOf(which))}
    <input type="hidden" name="act" value="${act}" />
    <input type="hidden" name="csrf" value="${call.token.value}" />
    <input type="hidden" name="count" value="${expected.count}" />
    <input type="hidden" name="more" value="${expected.isMore ? "yes" : "no"}" />
    <label
      >Why <input name="why" maxlength="${reasonCharactersMax}" autocomplete="off" /><small
        >kept with each event</small
      ></label
    >
    ${
      act === "replay" &&
      html`<label
          >Events a second, at most <input name="perSecond" inputmode="decimal" size="6" /><small
            >empty: all at once, behind live traffic</small
          ></label
        >
        <label class="check"
          ><input type="checkbox" name="rerun" value="yes" /> All handlers again, those that
          succeeded too, with new idempotency keys</label
        >`
    }
    ${phrase !== undefined && html`<label>Type <b>${phrase}</b> to go on <input name="phrase" required autocomplete="off" pattern="${phrase}" /></label>`}
    <p class="acts">
      <button class="${act}">
        ${actLabel[act]} ${expected.isMore ? "all" : eventsText(expected.count)}
      </button>
      <a href="${call.base}/events">Leave it</a>
    </p>
  </form>`;
}
